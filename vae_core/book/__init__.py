"""The book: executed notebooks and the pages in docs/ -> a folder of linked web pages, for which Sphinx is called."""
