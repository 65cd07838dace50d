//! The catalogue, carts and orders, in an embedded database. All of it blocks, so it runs on blocking threads.

use std::path::Path;

use redb::{
    Database, Durability, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    TableDefinition,
};
use serde::Serialize;
use telemetry_layer::prelude::*;

const PRODUCTS: TableDefinition<'_, u32, (&str, u64)> = TableDefinition::new("products");
const STOCK: TableDefinition<'_, u32, u32> = TableDefinition::new("stock");
/// By customer and product.
const CARTS: TableDefinition<'_, (u32, u32), u32> = TableDefinition::new("carts");
/// By number: customer, items, cents.
const ORDERS: TableDefinition<'_, u64, (u32, u32, u64)> = TableDefinition::new("orders");

const NAMES: [&str; 12] =
    ["apple", "bread", "coffee", "dill", "egg", "flour", "ginger", "honey", "ice", "jam", "kale", "lemon"];

/// What goes wrong in a shop.
#[derive(Debug)]
pub(crate) enum ShopError {
    UnknownProduct(u32),
    EmptyCart,
    SoldOut(u32),
    Declined,
    PaymentDown,
    Database(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for ShopError {
    fn from(e: E) -> Self {
        Self::Database(e.into())
    }
}

impl std::fmt::Display for ShopError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownProduct(id) => write!(f, "there is no product {id}"),
            Self::EmptyCart => f.write_str("the cart is empty"),
            Self::SoldOut(id) => write!(f, "product {id} is sold out"),
            Self::Declined => f.write_str("the card was declined"),
            Self::PaymentDown => f.write_str("the payment service does not answer"),
            Self::Database(e) => write!(f, "the database failed: {e}"),
        }
    }
}

impl std::error::Error for ShopError {}

#[derive(Serialize)]
pub(crate) struct Product {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) cents: u64,
    pub(crate) left: u32,
}

/// What a customer is about to pay for.
#[derive(Clone)]
pub(crate) struct Cart {
    pub(crate) customer: u32,
    pub(crate) lines: Vec<(u32, u32)>,
    pub(crate) cents: u64,
}

pub(crate) struct Stock {
    db: Database,
}

impl Stock {
    /// Opens the database; a new one is filled with products.
    pub(crate) fn open(path: &Path) -> Result<Self, redb::Error> {
        let db = Database::create(path)?;
        let write = db.begin_write()?;
        {
            let (mut products, mut stock) = (write.open_table(PRODUCTS)?, write.open_table(STOCK)?);
            write.open_table(CARTS)?;
            write.open_table(ORDERS)?;
            for (id, name) in (1..).zip(NAMES) {
                products.insert(id, (name, 100 + 37 * u64::from(id)))?;
                // Some things are rare, so that they sell out.
                stock.insert(id, if id % 4 == 0 { 40 } else { 1_000_000 })?;
            }
        }
        write.commit()?;
        Ok(Self { db })
    }

    /// All products.
    #[time_me(outcome)]
    pub(crate) fn products(&self) -> Result<Vec<Product>, ShopError> {
        let read = self.db.begin_read()?;
        let (products, stock) = (read.open_table(PRODUCTS)?, read.open_table(STOCK)?);
        let mut all = Vec::new();
        for row in products.iter()? {
            let (id, product) = row?;
            let (name, cents) = product.value();
            let left = stock.get(id.value())?.map_or(0, |n| n.value());
            all.push(Product { id: id.value(), name: name.to_owned(), cents, left });
        }
        Ok(all)
    }

    /// One product.
    #[time_me(outcome)]
    pub(crate) fn product(&self, id: u32) -> Result<Product, ShopError> {
        let read = self.db.begin_read()?;
        let (products, stock) = (read.open_table(PRODUCTS)?, read.open_table(STOCK)?);
        let product = products.get(id)?.ok_or(ShopError::UnknownProduct(id))?;
        let left = stock.get(id)?.map_or(0, |n| n.value());
        let (name, cents) = product.value();
        Ok(Product { id, name: name.to_owned(), cents, left })
    }

    /// Puts something into a cart; the number of items of that product in it.
    #[time_me(outcome)]
    pub(crate) fn add_to_cart(&self, customer: u32, product: u32, items: u32) -> Result<u32, ShopError> {
        self.product(product)?;
        let mut write = self.db.begin_write()?;
        // A cart may be lost in a crash; an order may not.
        write.set_durability(Durability::None)?;
        let sum = {
            let mut carts = write.open_table(CARTS)?;
            let before = carts.get((customer, product))?.map_or(0, |n| n.value());
            carts.insert((customer, product), before + items)?;
            before + items
        };
        write.commit()?;
        Ok(sum)
    }

    /// What is in a cart, and what it costs.
    #[time_me(outcome)]
    pub(crate) fn cart(&self, customer: u32) -> Result<Cart, ShopError> {
        let read = self.db.begin_read()?;
        let (carts, products) = (read.open_table(CARTS)?, read.open_table(PRODUCTS)?);
        let mut cart = Cart { customer, lines: Vec::new(), cents: 0 };
        for row in carts.range((customer, 0)..=(customer, u32::MAX))? {
            let (key, items) = row?;
            let (product, items) = (key.value().1, items.value());
            let cents = products.get(product)?.map_or(0, |p| p.value().1);
            cart.lines.push((product, items));
            cart.cents += cents * u64::from(items);
        }
        if cart.lines.is_empty() { Err(ShopError::EmptyCart) } else { Ok(cart) }
    }

    /// Takes what was paid for out of the stock and writes the order down; its number.
    #[time_me(outcome)]
    pub(crate) fn place_order(&self, cart: &Cart) -> Result<u64, ShopError> {
        let write = self.db.begin_write()?;
        let number = {
            let (mut stock, mut carts) = (write.open_table(STOCK)?, write.open_table(CARTS)?);
            let mut orders = write.open_table(ORDERS)?;
            for &(product, items) in &cart.lines {
                let left = stock.get(product)?.map_or(0, |n| n.value());
                let left = left.checked_sub(items).ok_or(ShopError::SoldOut(product))?;
                stock.insert(product, left)?;
                carts.remove((cart.customer, product))?;
            }
            let number = orders.len()? + 1;
            let items = cart.lines.iter().map(|(_, items)| items).sum();
            orders.insert(number, (cart.customer, items, cart.cents))?;
            number
        };
        write.commit()?;
        placed(number, cart.cents);
        Ok(number)
    }

    /// Empties a cart that can't be paid for.
    #[time_me(outcome)]
    pub(crate) fn drop_cart(&self, cart: &Cart) -> Result<(), ShopError> {
        let mut write = self.db.begin_write()?;
        write.set_durability(Durability::None)?;
        {
            let mut carts = write.open_table(CARTS)?;
            for (product, _) in &cart.lines {
                carts.remove((cart.customer, *product))?;
            }
        }
        write.commit()?;
        Ok(())
    }

    /// How many orders there are.
    pub(crate) fn orders(&self) -> Result<u64, redb::Error> {
        Ok(self.db.begin_read()?.open_table(ORDERS)?.len()?)
    }
}

/// One order is in the database.
#[count_me(name = "shop.orders", tags(currency = "EUR"))]
fn placed(number: u64, cents: u64) {
    tracing::info!(order = number, "order placed");
    // All fields beside it are tags, so the number of the order stands elsewhere.
    tracing::info!(histogram.shop.order_value = cents as f64 / 100.0, currency = "EUR", "paid");
}
