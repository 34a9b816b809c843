//! `#[derive(Module)]`: the names and parameters of a model, read off its fields.
#![forbid(unsafe_code)]

use proc_macro::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Field, Fields, Index, Member, parse_macro_input};

/// Implements `wengert::nn::Module` for a struct.
///
/// Fields are tensors (parameters), modules, options, vectors, arrays and boxes of those, or numbers, bools and
/// strings, which have no parameters. `#[module(buffer)]` makes a tensor part of the state without training it;
/// `#[module(skip)]` leaves a field out.
#[proc_macro_derive(Module, attributes(module))]
pub fn module(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// What a field's `#[module(…)]` says.
#[derive(PartialEq)]
enum Role {
    Part,
    Buffer,
    Skip,
}

fn role(field: &Field) -> Result<Role, Error> {
    let mut role = Role::Part;
    for attribute in field.attrs.iter().filter(|a| a.path().is_ident("module")) {
        attribute.parse_nested_meta(|meta| {
            role = if meta.path.is_ident("buffer") {
                Role::Buffer
            } else if meta.path.is_ident("skip") {
                Role::Skip
            } else {
                return Err(meta.error("expected `buffer` or `skip`"));
            };
            Ok(())
        })?;
    }
    Ok(role)
}

fn expand(input: &DeriveInput) -> Result<proc_macro2::TokenStream, Error> {
    let Data::Struct(data) = &input.data else {
        let message = "`Module` can be derived for structs only: implement `parts` by hand";
        return Err(Error::new_spanned(&input.ident, message));
    };
    let fields = match &data.fields {
        Fields::Named(fields) => fields.named.iter().collect(),
        Fields::Unnamed(fields) => fields.unnamed.iter().collect(),
        Fields::Unit => Vec::new(),
    };
    let mut parts = Vec::new();
    for (i, field) in fields.into_iter().enumerate() {
        let member = match &field.ident {
            Some(ident) => Member::Named(ident.clone()),
            None => Member::Unnamed(Index::from(i)),
        };
        let name = match &member {
            Member::Named(ident) => ident.to_string().trim_start_matches("r#").to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        };
        parts.push(match role(field)? {
            Role::Part => quote!(::wengert::nn::Field::parts_of(&self.#member, #name, show);),
            Role::Buffer => quote!(show(#name, ::wengert::nn::Part::Buffer(&self.#member));),
            Role::Skip => continue,
        });
    }
    let (name, (generics, types, bounds)) = (&input.ident, input.generics.split_for_impl());
    Ok(quote! {
        impl #generics ::wengert::nn::Module for #name #types #bounds {
            fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, ::wengert::nn::Part<'a>)) {
                let _ = &show;
                #(#parts)*
            }
        }
    })
}
