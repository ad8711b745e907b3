"""The settings of Sphinx for the book: everything in its folder, no request to anywhere. Sphinx reads this file."""

from importlib.metadata import distribution
from pathlib import Path

MATHJAX = "tex-svg-full.js"  # all of LaTeX that MathJax knows and its glyphs in one file, so that it loads no other

project = html_title = "The weight on the KL term"
language = "en"
extensions = ["myst_nb"]
html_theme = "sphinx_book_theme"

nb_execution_mode = "off"
nb_render_markdown_format = "myst"  # else tables in outputs are printed as pipes
nb_code_prompt_show, nb_code_prompt_hide = "Show the code", "Hide the code"
nb_ipywidgets_js = {}  # they come from a server
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3

mathjax_path = MATHJAX
html_static_path = [
    str(Path(__file__).with_name("book.css")),
    *(str(file.locate()) for file in distribution("sphinx-mathjax-offline").files if file.name == MATHJAX),
]
html_css_files = ["book.css"]
html_copy_source = html_show_sourcelink = False
html_show_search_summary = False  # they would be fetched, which no page from disk may do
html_use_index = html_domain_indices = False
html_show_copyright = html_show_sphinx = False
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_theme_options = {
    "home_page_in_toc": True,
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "footer_content_items": [],  # else it says that no author is set
    "navbar_persistent": [],  # else there is a second search field above the page
}
