"""The site: every lesson as a page to read, the guides, the tables. `make site` builds it; `python -m grader.site` makes its sources."""
