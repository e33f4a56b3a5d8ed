//! The zoo against PyTorch: `make.py` beside this folder wrote what it expects.

mod files;
mod made_up;
mod networks;
mod table;
