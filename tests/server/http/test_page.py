from __future__ import annotations

import re

from web import served


async def test_the_page_comes_with_its_parts_and_no_others() -> None:
    """Everything that the page names is there; no request reaches another file."""
    async with served() as (client, _):
        page = await client.get("/")
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'self'" in page.headers["content-security-policy"]
        for part in re.findall(r'(?:href|src)="(/page/[^"]+)"', page.text):
            assert (await client.get(part)).status_code == 200
        script = await client.get("/page/app.js")
        assert "javascript" in script.headers["content-type"]
        for name in ("page.py", "..%2fpage.py", "%2e%2e/page.py", "../../etc/passwd"):
            assert (await client.get(f"/page/{name}")).status_code == 404
