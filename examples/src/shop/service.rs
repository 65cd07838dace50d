//! The shop's HTTP service.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use telemetry_layer::prelude::*;
use tower_http::trace::TraceLayer;
use tracing::field::Empty;
use tracing::{Span, info_span};

use crate::chance::random;
use crate::stock::{Cart, Product, ShopError, Stock};

pub(crate) fn router(stock: Arc<Stock>) -> Router {
    let trace = TraceLayer::new_for_http()
        .make_span_with(|request: &Request| {
            info_span!(
                "request",
                otel.kind = "server",
                otel.status_code = Empty,
                http.request.method = %request.method(),
                url.path = request.uri().path(),
                http.response.status_code = Empty,
            )
        })
        .on_response(|response: &Response, latency: Duration, span: &Span| {
            span.record("http.response.status_code", response.status().as_u16());
            if response.status().is_server_error() {
                span.record("otel.status_code", "error");
            }
            tracing::debug!(?latency, "answered");
        });
    Router::new()
        .route("/products", get(products))
        .route("/products/{id}", get(product))
        .route("/carts/{customer}/items", post(add_to_cart))
        .route("/carts/{customer}/checkout", post(checkout))
        .layer(middleware::from_fn(count_requests))
        .layer(trace)
        .with_state(stock)
}

/// Each request is counted once, by its status: exactly, whatever is logged or sampled.
async fn count_requests(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    count!("shop.requests", tags(http.response.status_code = response.status().as_u16()));
    response
}

impl IntoResponse for ShopError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::UnknownProduct(_) => StatusCode::NOT_FOUND,
            Self::EmptyCart | Self::SoldOut(_) => StatusCode::CONFLICT,
            Self::Declined => StatusCode::PAYMENT_REQUIRED,
            Self::PaymentDown => StatusCode::BAD_GATEWAY,
            Self::Database(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            tracing::error!(error = %self, "request failed");
        } else {
            tracing::warn!(error = %self, "request refused");
        }
        (status, self.to_string()).into_response()
    }
}

/// Runs blocking work on a blocking thread, in the span of the request.
async fn blocking<R: Send + 'static>(stock: &Arc<Stock>, f: impl FnOnce(&Stock) -> R + Send + 'static) -> R {
    let (stock, span) = (Arc::clone(stock), Span::current());
    let work = tokio::task::spawn_blocking(move || span.in_scope(|| f(&stock)));
    work.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
}

#[time_me(outcome)]
async fn products(State(stock): State<Arc<Stock>>) -> Result<Json<Vec<Product>>, ShopError> {
    blocking(&stock, Stock::products).await.map(Json)
}

#[time_me(outcome)]
async fn product(State(stock): State<Arc<Stock>>, Path(id): Path<u32>) -> Result<Json<Product>, ShopError> {
    blocking(&stock, move |stock| stock.product(id)).await.map(Json)
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Item {
    pub(crate) product: u32,
    pub(crate) items: u32,
}

#[count_me(name = "shop.items_in_carts", value = item.items)]
#[time_me(outcome)]
async fn add_to_cart(
    State(stock): State<Arc<Stock>>,
    Path(customer): Path<u32>,
    Json(item): Json<Item>,
) -> Result<Json<Item>, ShopError> {
    let items = blocking(&stock, move |stock| stock.add_to_cart(customer, item.product, item.items)).await?;
    Ok(Json(Item { product: item.product, items }))
}

#[derive(Serialize)]
struct Receipt {
    order: u64,
    cents: u64,
}

#[time_me(outcome)]
async fn checkout(
    State(stock): State<Arc<Stock>>,
    Path(customer): Path<u32>,
) -> Result<(StatusCode, Json<Receipt>), ShopError> {
    let cart = blocking(&stock, move |stock| stock.cart(customer)).await?;
    charge(&cart).await?;
    let paid = cart.clone();
    let placed = blocking(&stock, move |stock| stock.place_order(&paid)).await;
    if let Err(ShopError::SoldOut(product)) = &placed {
        tracing::warn!(product, cents = cart.cents, "money goes back");
        let unpaid = cart.clone();
        blocking(&stock, move |stock| stock.drop_cart(&unpaid)).await?;
    }
    Ok((StatusCode::CREATED, Json(Receipt { order: placed?, cents: cart.cents })))
}

/// A payment service that is mostly quick, sometimes slow, and sometimes says no.
#[time_me(outcome, tags(method = "card"))]
async fn charge(cart: &Cart) -> Result<(), ShopError> {
    let chance = random() % 100;
    let millis = if chance < 5 { 80 + random() % 120 } else { 1 + random() % 4 };
    tokio::time::sleep(Duration::from_millis(millis)).await;
    match chance {
        90..95 => Err(ShopError::Declined),
        95..97 => Err(ShopError::PaymentDown),
        _ => {
            tracing::debug!(cents = cart.cents, "paid");
            Ok(())
        }
    }
}
