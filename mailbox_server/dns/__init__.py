"""Questions to the DNS, with typed answers; the only home of dnspython."""
