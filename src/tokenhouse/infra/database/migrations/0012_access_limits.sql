-- How often callers came in the last minute, and what a key may.

-- Null: the limit that the settings name for all keys of accounts; a platform key has none.
alter table access.api_key add column rate_limit_per_minute integer check (rate_limit_per_minute > 0);

-- One row for whatever is limited, named by a digest: no address and no e-mail stands here. A window is divided into
-- 60 steps, numbered from the epoch; ticks lists those in which there were hits, hits how many. Unlogged: after a crash
-- everybody starts anew. Not indexed but by its key, so that a hit rewrites its own page only.
create unlogged table access.rate_window (
  key     text collate "C" primary key,
  ticks   bigint[] not null,
  hits    integer[] not null,
  ends_at timestamptz not null
) with (fillfactor = 50);

alter table access.rate_window enable row level security;
alter table access.rate_window force row level security;
