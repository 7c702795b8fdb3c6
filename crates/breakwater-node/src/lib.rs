//! The keeper: watches gauges, anchors, asserts, counters, finalises and settles.
