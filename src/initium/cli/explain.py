"""`initium explain`: one method or recipe in words."""

from __future__ import annotations

import click


@click.command("explain")
@click.argument("name")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language.")
@click.option("--layer", help="Work the formula out for a layer, such as linear:784,256 or conv:3,64,7.")
def command(name: str, lang: str, layer: str | None) -> None:
    """Explain the method NAME: formula, meaning, procedure, strengths, weaknesses; or recipe:NAME, line by line.

    \b
        initium explain he_normal
        initium explain he_normal --lang zh --layer conv:3,64,7
        initium explain recipe:timm_vit
    """
    from initium.plan.recipes.explain_recipe import explain
    from initium.report import wrap

    click.echo(wrap(explain(name, lang=lang, layer=layer)))
