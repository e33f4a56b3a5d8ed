//! From arrays to pictures.
