"""The first page and the reference in a real browser: phone and desktop, light and dark, under their own policy."""

import pytest


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_fit_and_complain_of_nothing(face, browser, width, scheme):
    context = await browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = await context.new_page()
    complaints, elsewhere = [], []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith((face, "data:")) else elsewhere.append(asked.url))
    pages = {"/": "It runs, and is ready", "/docs/errors": "insufficient_tokens"}
    if (width, scheme) in ((390, "dark"), (1280, "light")):  # it takes its time to draw
        pages["/docs"] = "/v1/accounts/{account_id}/wallets"
    for path, seen in pages.items():
        await page.goto(face + path)
        # Swagger UI breaks long paths with invisible spaces.
        await page.wait_for_function("text => document.body.innerText.replace(/\\u200b/g, '').includes(text)", arg=seen)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert (complaints, elsewhere) == ([], [])
    await context.close()


async def test_a_command_is_copied_by_keyboard(face, browser):
    context = await browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    await page.goto(face)
    await page.get_by_role("button", name="Copy: Make a user").focus()
    await page.keyboard.press("Enter")
    await page.get_by_text("Copied").wait_for()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"curl -s {face}/v1/accounts")
    await context.close()


async def test_the_reference_works_under_its_policy(face, browser):
    """A call tried out in the page, its styles and its answer drawn: nothing inline was needed, nothing refused."""
    context = await browser.new_context()
    page = await context.new_page()
    refused = []

    def noted(directive):
        refused.append(directive)

    await page.expose_function("noted", noted)
    await page.add_init_script("addEventListener('securitypolicyviolation', e => noted(e.violatedDirective))")
    await page.goto(face + "/docs")
    await page.locator("#operations-Operations-livez .opblock-summary-control").click()
    await page.locator("#operations-Operations-livez").get_by_role("button", name="Execute").click()
    await page.get_by_text('"status": "alive"').first.wait_for()
    await page.locator("#operations-Charges-charges_create .opblock-summary-control").click()
    await page.locator("#operations-Charges-charges_create textarea").first.wait_for()
    await page.get_by_role("button", name="Authorize").first.click()
    await page.get_by_role("heading", name="Available authorizations").wait_for()
    assert refused == []
    # The observer itself works.
    await page.evaluate("document.body.setAttribute('style', 'color: red')")
    await page.wait_for_timeout(100)
    assert refused == ["style-src-attr"]
    await context.close()
