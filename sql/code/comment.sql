COMMENT ON PROCEDURE sales_crm.setup(text) IS
	'Creates the tables, triggers, views and seed rows that are missing, as ordinary objects of the caller, and migrates older ones. With a locale (en, fr, nl, de) it names the seed rows that nobody renamed in that language. Calling it again changes nothing';
