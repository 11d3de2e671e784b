"""The statements of the pages. All SQL of browsing is here; nothing here knows of HTML, words or addresses."""
