//! Checking against the published schemas in tests/schemas.

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

/// A schema, ready to check with.
pub struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    /// The one in this file of tests/schemas, or the one at a place in it, as `#/$defs/Name`.
    pub fn new(file: &str, place: &str) -> Self {
        let document: Value = serde_json::from_str(&super::read(&format!("tests/schemas/{file}"))).unwrap();
        let mut compiler = Compiler::new();
        compiler.add_resource("https://schemas.test/schema.json", document).unwrap();
        let mut schemas = Schemas::new();
        let location = format!("https://schemas.test/schema.json{place}");
        let index = compiler
            .compile(&location, &mut schemas)
            .unwrap_or_else(|error| panic!("{file}{place}: {error}"));
        Self { schemas, index }
    }

    /// What is wrong with a document.
    pub fn complaints(&self, document: &Value) -> Option<String> {
        self.schemas.validate(document, self.index).err().map(|error| error.to_string())
    }
}
