"""Who and what is in the demo: accounts, members, models, characters, purchases, grants. Data alone.

The ids are fixed: pages, docs and tests name them. What a user's use costs, and what creators earn by it, follows
from the catalog and from the models here.
"""

from dataclasses import dataclass
from typing import Literal

from tokenhouse.domain.access.types import NewAccount, PlatformRole, Role
from tokenhouse.domain.market.types import NewCharacter, NewModel

Source = Literal["top_up", "gift", "bonus", "promotion"]


@dataclass(frozen=True, slots=True)
class Someone:
    """An account on its plan. weight: how often it uses anything, beside the others."""

    account: NewAccount
    plan: str
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Given:
    """Credits for an account. monthly: in each month of the demo anew."""

    account: str
    credit_type: str
    amount: int
    source: Source
    note: str
    monthly: bool = False


def _user(id: str, name: str, plan: str = "free", weight: int = 2, email: str | None = None) -> Someone:
    address = email or f"{id.removeprefix('demo-')}@example.com"
    return Someone(NewAccount("user", name, id, address), plan, weight)


def _organization(id: str, name: str, plan: str) -> Someone:
    return Someone(NewAccount("organization", name, id, f"billing@{id.removeprefix('demo-')}.example"), plan)


PEOPLE = (
    _user("demo-admin", "Ada Admin", "pro", 1, "admin@example.com"),
    _user("demo-creator", "Cleo Creator", "pro", 6, "creator@example.com"),
    _user("demo-user", "Uma User", "free", 12, "user@example.com"),
    _user("demo-new", "Nils New", "free", 0, "new@example.com"),
    _user("demo-mia", "Mia Rossi", "pro", 4),
    _user("demo-kenji", "Kenji Sato", "pro", 4),
    _user("demo-anna", "Anna Berg", "pro", 9),
    _user("demo-ben", "Ben Okafor", "free", 8),
    _user("demo-carla", "Carla Mendes", "free", 7),
    _user("demo-dev", "Dev Patel", "pro", 7),
    _user("demo-elif", "Elif Kaya", "free", 6),
    _user("demo-finn", "Finn O'Brien", "free", 5),
    _user("demo-grace", "Grace Kim", "free", 5),
    _user("demo-hugo", "Hugo Laurent", "free", 4),
    _user("demo-ines", "Inés García", "free", 4),
    _user("demo-jonas", "Jonas Lind", "free", 3),
    _user("demo-kofi", "Kofi Mensah", "free", 3),
    _user("demo-lena", "Lena Vogel", "free", 3),
    _user("demo-marek", "Marek Novák", "free"),
    _user("demo-nadia", "Nadia Haddad", "free"),
    _user("demo-oskar", "Oskar Nilsson", "free"),
    _user("demo-priya", "Priya Nair", "free"),
    _user("demo-quinn", "Quinn Taylor", "free", 1),
    _user("demo-rosa", "Rosa Silva", "free", 1),
    _organization("demo-birch", "Birch & Co", "starter"),
    _organization("demo-northwind", "Northwind Labs", "pro-org"),
    _organization("demo-helios", "Helios Group", "enterprise"),
)

# Those who can sign in, and what they are to the platform.
SIGN_IN: tuple[tuple[str, PlatformRole | None], ...] = (
    ("demo-admin", "admin"),
    ("demo-creator", None),
    ("demo-user", None),
    ("demo-new", None),
)

MEMBERS: tuple[tuple[str, str, Role], ...] = (
    ("demo-birch", "demo-hugo", "owner"),
    ("demo-birch", "demo-ines", "member"),
    ("demo-northwind", "demo-anna", "owner"),
    ("demo-northwind", "demo-ben", "admin"),
    ("demo-northwind", "demo-carla", "member"),
    ("demo-helios", "demo-admin", "owner"),
    ("demo-helios", "demo-user", "admin"),
    ("demo-helios", "demo-dev", "member"),
    ("demo-helios", "demo-elif", "member"),
    ("demo-helios", "demo-finn", "member"),
)

MODELS = (
    NewModel(
        "Aiko", "Anime", 2_000, False, True, True, "exclusive", "demo-aiko",
        description="A bright companion who remembers small things.",
        features=("chat", "memory"), credit_cost=5, creator_id="demo-creator", creator_share_bps=4_000,
    ),
    NewModel(
        "Luna", "Fantasy", 5_000, True, True, True, "shared", "demo-luna",
        description="A storyteller from a city above the clouds.",
        features=("chat", "stories"), credit_cost=8, creator_id="demo-creator", creator_share_bps=3_000,
        earnings_policy="dynamic",
    ),
    NewModel(
        "Vera", "Realistic", 1_500, False, True, True, "exclusive", "demo-vera",
        description="A calm interviewer for hard questions.",
        features=("chat",), credit_cost=4, creator_id="demo-mia",
    ),
    NewModel(
        "Atlas", "Business", 3_000, False, True, True, "shared", "demo-atlas",
        description="Reads reports and answers with figures. Its use costs what the operation costs.",
        features=("chat", "documents"), creator_id="demo-kenji", creator_share_bps=1_000,
    ),
    NewModel(
        "Nova", "Science fiction", 8_000, True, True, True, "exclusive", "demo-nova",
        description="Paints what you describe, priced by the image.",
        features=("images",), pricing={"image": "40"}, creator_id="demo-creator", creator_share_bps=5_000,
        earnings_policy="dynamic", upstream_model="demo-image-1", provider="demo",
    ),
    NewModel(
        "Echo", "Realistic", 0, False, True, False, "shared", "demo-echo",
        description="Free to own and not monetized: its use earns nobody anything.",
        features=("chat",), credit_cost=2, creator_id="demo-mia",
    ),
    NewModel(
        "Orion", "Fantasy", 4_000, True, True, True, "exclusive", "demo-orion",
        description="A knight nobody has bought yet; his creator earns all the same.",
        features=("chat", "quests"), credit_cost=6, creator_id="demo-kenji", creator_share_bps=2_500,
    ),
    NewModel(
        "Kira", "Anime", 1_000, False, True, True, "shared", "demo-kira",
        description="A detective shared by several owners, who earn alike.",
        features=("chat",), credit_cost=3, creator_id="demo-mia",
    ),
    NewModel(
        "Muse", "Business", 2_500, False, True, True, "exclusive", "demo-muse",
        description="Writes drafts, priced by real LLM tokens.",
        features=("chat", "drafts"), pricing={"input_token": "0.01", "output_token": "0.03"},
        creator_id="demo-creator", creator_share_bps=3_500, upstream_model="demo-chat-1", provider="demo",
    ),
    NewModel(
        "Retro", "Realistic", 500, False, False, True, "shared", "demo-retro",
        description="Taken off the market; owners keep what they earned.",
        features=("chat",), credit_cost=1, creator_id="demo-kenji",
    ),
)  # fmt: skip

CHARACTERS = (
    NewCharacter("Aiko", "demo-aiko", "demo-aiko-aiko"),
    NewCharacter("Luna Skyborn", "demo-luna", "demo-luna-skyborn"),
    NewCharacter("Luna at Night", "demo-luna", "demo-luna-night"),
    NewCharacter("Vera", "demo-vera", "demo-vera-vera"),
    NewCharacter("Mr Atlas", "demo-atlas", "demo-atlas-mr"),
    NewCharacter("Echo", "demo-echo", "demo-echo-echo"),
    NewCharacter("Sir Orion", "demo-orion", "demo-orion-sir"),
    NewCharacter("Kira", "demo-kira", "demo-kira-kira"),
    NewCharacter("Muse", "demo-muse", "demo-muse-muse"),
    NewCharacter("Retro", "demo-retro", "demo-retro-retro"),
)

PURCHASES = (
    ("demo-user", "demo-vera"),
    ("demo-user", "demo-kira"),
    ("demo-user", "demo-luna"),
    ("demo-anna", "demo-aiko"),
    ("demo-anna", "demo-kira"),
    ("demo-dev", "demo-luna"),
    ("demo-dev", "demo-muse"),
    ("demo-ben", "demo-kira"),
    ("demo-carla", "demo-atlas"),
    ("demo-elif", "demo-luna"),
    ("demo-elif", "demo-echo"),
    ("demo-grace", "demo-nova"),
    ("demo-creator", "demo-atlas"),
    ("demo-creator", "demo-kira"),
)

GRANTS = (
    Given("demo-user", "general", 1_000_000, "top_up", "pack-1m"),
    Given("demo-ben", "general", 25_000, "gift", "From Anna, for the workshop"),
    Given("demo-grace", "general", 50_000, "bonus", "Highest earnings of the month"),
    Given("demo-carla", "general", 10_000, "promotion", "Spring campaign"),
    Given("demo-birch", "general", 20_000, "top_up", "For a first try"),
    Given("demo-birch", "lead_generation", 600, "top_up", "For a first try", monthly=True),
    Given("demo-northwind", "general", 50_000, "top_up", "Contract 2041", monthly=True),
    Given("demo-northwind", "lead_generation", 2_500, "top_up", "Contract 2041", monthly=True),
    Given("demo-northwind", "goal_generation", 1_500, "top_up", "Contract 2041", monthly=True),
    Given("demo-northwind", "strategy_analysis", 1_000, "top_up", "Contract 2041", monthly=True),
    Given("demo-northwind", "forecast", 1_000, "top_up", "Contract 2041", monthly=True),
    Given("demo-helios", "general", 100_000, "top_up", "Framework agreement", monthly=True),
    Given("demo-helios", "lead_generation", 5_000, "top_up", "Framework agreement", monthly=True),
    Given("demo-helios", "goal_generation", 3_000, "top_up", "Framework agreement", monthly=True),
    Given("demo-helios", "strategy_analysis", 3_000, "top_up", "Framework agreement", monthly=True),
    Given("demo-helios", "forecast", 2_000, "top_up", "Framework agreement", monthly=True),
)
