//! The kernel, wrapped: the only `unsafe` of the house.
