-- Who the current transaction acts for: the signed token of the setting tokenhouse.token, verified.
--
-- Returns the account ids that the transaction may see, {0} for the whole platform, and NULL for a token
-- that is absent, malformed, forged or expired. It never raises: the parts are cast only after the
-- signature proved that we wrote them. Policies read it once a statement:
--   owner = any ((select access.scope())::bigint[]) or 0 = any ((select access.scope())::bigint[])
-- (without the cast, doubled parentheses are still a subquery: bigint = bigint[], an error).
create or replace function access.scope() returns bigint[]
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    token constant text := current_setting('tokenhouse.token', true);
    expiry text;
    ids text;
    secret record;
    mac text;
begin
    if token is null or token = '' then
        return null;
    end if;
    expiry := split_part(token, '.', 1);
    ids := split_part(token, '.', 2);
    select s.ik, s.ok into secret from access.secret s;
    if not found then
        return null;
    end if;
    mac := encode(sha256(secret.ok || sha256(secret.ik || convert_to(expiry || '.' || ids, 'UTF8'))), 'hex');
    -- The whole token is compared, so nothing may follow the signature; by digests, so that the time taken
    -- tells nothing of the right one.
    if sha256(convert_to(token, 'UTF8')) <> sha256(convert_to(expiry || '.' || ids || '.' || mac, 'UTF8')) then
        return null;
    end if;
    if expiry::bigint < extract(epoch from clock_timestamp()) then
        return null;
    end if;
    -- One cast of the whole: element by element takes several times as long for a batch's token.
    return ('{' || ids || '}')::bigint[];
end
$$;

create or replace function access.require_platform() returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if (0 = any(access.scope())) is not true then
        raise exception 'only the platform may do this' using errcode = 'TH403';
    end if;
end
$$;

-- Every one of p_accounts must be in the scope, unless it is the platform's. NULL anywhere is refused.
create or replace function access.require_accounts(p_accounts bigint[]) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    scope constant bigint[] := access.scope();
begin
    if scope is null or p_accounts is null or array_position(p_accounts, null) is not null then
        raise exception 'the transaction acts for no such account' using errcode = 'TH403';
    end if;
    -- Equality first: a batch names its accounts in the token's order, and containment is quadratic.
    if p_accounts = scope or 0 = any(scope) or p_accounts <@ scope then
        return;
    end if;
    raise exception 'the transaction does not act for these accounts' using errcode = 'TH403';
end
$$;

revoke all on function access.scope(), access.require_platform(), access.require_accounts(bigint[]) from public;
grant usage on schema access to th_app, th_worker;
grant execute on function access.scope() to th_app, th_worker;
revoke all on access.secret from public, th_app, th_worker;
