"""All that must survive a restart, behind one narrow door; the only home of SQL."""
