"""One file per revision of the schema. A revision that has been released is never edited."""
