//! The screens: keys on a real engine, and everything that could reach them by chance.

mod random;
mod screens;
mod stage;
