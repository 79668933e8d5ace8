"""What strangers try: each file one subject; README.md joins the rows to the tests."""
