//! The screens: keys on a real engine, and everything that could reach them by chance.

mod hints;
mod networks;
mod random;
mod screens;
mod stage;
mod stats;
