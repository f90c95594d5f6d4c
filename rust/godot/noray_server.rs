//! The class `NorayServer`.
