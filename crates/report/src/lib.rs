//! Pages that a person reads: what a fitted model shows, and how synthetic rows compare with real
//! ones.
//!
//! Each page is one HTML file without a script, a font, a picture or a link that would be loaded,
//! and its own policy forbids a browser to load or run anything for it. Texts of tables are escaped
//! in the one place where text is put on a page. It reads well on a screen, in the dark, on paper,
//! and aloud.
//!
//! [`model_page`] is computed from what a ledger paid for, and may go wherever the model may; so is
//! [`model_json`], the same for programs that draw it themselves.
//! [`EvaluationPage`] is computed from real rows without noise: it is for their owner alone.
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! use privacy::{Delta, Epsilon, NoiseRng};
//! use schema::{Declaration, Schema};
//! use synthesis::{FitPlan, GrainOptions};
//! use tabular::Joined;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let declaration = "age: {integer: {min: 0, max: 99}}\nsmokes: {categories: ['no', 'yes']}\n";
//! let schema = Schema::new(Declaration::from_yaml(declaration)?)?;
//! let table = Joined::from_csv("age,smokes\n34,yes\n71,no\n".as_bytes(), Some(&schema))?;
//! let plan = FitPlan::new(GrainOptions::default(), Epsilon::new(1.0)?, Delta::new(1e-9)?);
//! let mut go_on = |_| ControlFlow::Continue(());
//! let model = plan.check(schema)?.fit(table, &mut NoiseRng::from_os()?, &mut go_on)?;
//!
//! let page = report::model_page(&model, &model.report());
//! assert!(page.starts_with("<!doctype html>") && page.contains("smokes"));
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod bars;
mod budget;
mod constraint_text;
mod evaluation_page;
mod heat_map;
mod html;
mod model_json;
mod model_page;

pub use evaluation_page::EvaluationPage;
pub use model_json::model_json;
pub use model_page::model_page;
