//! The engine inside a program that lives on, on real images and containers: jobs called off, the graph, layers, use.

mod contents;
mod graph;
mod layers;
mod past;
mod pull;
mod stats;
