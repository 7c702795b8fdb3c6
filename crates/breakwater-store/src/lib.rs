//! Tables, queries and migrations: the keeper's journal.
