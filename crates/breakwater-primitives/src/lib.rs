//! Units, ids, time and rounding shared by every Breakwater crate; no I/O.
