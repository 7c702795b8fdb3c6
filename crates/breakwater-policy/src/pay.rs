//! Paying policies: from the curator's lock while the dwell lasts, from the booking afterwards.

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{MathError, Time, U256Ext, mul_div_floor};

use crate::booking::Booking;
use crate::context::Cx;
use crate::events::Event;
use crate::exposure::{add, take};
use crate::ledger::Ledger;
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::terms::Product;

/// What settlement found for one policy and one incident. Amounts are pool units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayOrder {
    /// The incident.
    pub incident: u64,
    /// The policy's product.
    pub product: B256,
    /// What was due before.
    pub due_before: u128,
    /// What is due now, at least `due_before`.
    pub due: u128,
    /// What was paid before.
    pub paid_before: u128,
    /// Of the policy.
    pub expiry: Time,
    /// Who owns the policy.
    pub holder: Address,
    /// Who settles it.
    pub settler: Address,
}

impl Pool {
    /// What may be paid for an incident while it dwells: the curator's lock less all instant payments that dwell, at
    /// most what is funded and not paid.
    ///
    /// # Errors
    /// Overflow beyond 128 bits.
    pub fn instant_budget(&self, incident: u64) -> Result<u128, MathError> {
        let Some(booking) = self.bookings.get(&incident) else { return Ok(0) };
        let budget = self.lock_value(self.locked)?.saturating_sub(self.instant_outstanding()?);
        // Treaties pay once a loss is final, so in the dwell only what the layers gave is there.
        Ok(budget.min(booking.own().saturating_sub(booking.paid)))
    }

    /// `pay`: pays one policy toward what it is due; answers what was sent or credited.
    pub(crate) fn pay(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        terms: &Product,
        opener: Address,
        order: &PayOrder,
    ) -> Result<u128, Refusal> {
        self.accrue(cx)?;
        let PayOrder { incident, product, expiry, .. } = *order;
        if !self.bookings.contains_key(&incident) {
            return Ok(0);
        }
        let paid = self.pay_from_booking(cx, ledger, order)?;
        if paid > 0 {
            let (exposure, _) =
                self.reduced(product, terms.report_window, cx.time, paid, U256::ZERO, expiry, 0)?;
            let event = Event::ExposureReduced {
                product,
                sum: paid,
                stream_rate: U256::ZERO,
                expiry,
                refund: 0,
                exposure,
            };
            cx.emit(self.address, event);
            self.pay_out(cx, ledger, terms, opener, order, paid)?;
        }
        Ok(paid)
    }

    fn pay_from_booking(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        order: &PayOrder,
    ) -> Result<u128, Refusal> {
        let PayOrder { incident, product, .. } = *order;
        let budget = self.instant_budget(incident)?;
        let booking = self.open_booking(incident, cx.block);
        booking.due = add(booking.due, order.due.saturating_sub(order.due_before))?;
        let paid = if booking.settled {
            self.share_of_booking(cx, ledger, order)?
        } else {
            order.due.saturating_sub(order.paid_before).min(budget)
        };
        let booking = self.open_booking(incident, cx.block);
        booking.paid = add(booking.paid, paid)?;
        let row = booking.products.entry(product).or_default();
        if !booking.settled {
            row.instant_paid = add(row.instant_paid, paid)?;
            booking.instant_paid = add(booking.instant_paid, paid)?;
        }
        let (due, total, instant_paid) = (booking.due, booking.paid, row.instant_paid);
        cx.emit(self.address, Event::BookingPaid { incident, product, due, paid: total, instant_paid });
        Ok(paid)
    }

    /// After the dwell everyone gets the same fraction; treaties send their part first.
    fn share_of_booking(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        order: &PayOrder,
    ) -> Result<u128, Refusal> {
        let booking = self.open_booking(order.incident, cx.block);
        if booking.due > booking.funded && self.closed_at.is_none() {
            self.closed_at = Some(cx.time);
            cx.emit(self.address, Event::PoolClosed { time: cx.time });
        }
        self.draw_treaties(cx, ledger, order.incident)?;
        let booking = self.open_booking(order.incident, cx.block);
        let wanted = target(booking, order.due)?.saturating_sub(order.paid_before);
        // What a treaty could not send is paid once it can.
        Ok(wanted.min(booking.cash().saturating_sub(booking.paid)))
    }

    fn pay_out(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        terms: &Product,
        opener: Address,
        order: &PayOrder,
        paid: u128,
    ) -> Result<(), Refusal> {
        let bounty = terms.bounty.floor_of(paid)?;
        let half = bounty / 2;
        let to_opener = if opener == order.holder { 0 } else { half };
        let to_settler = if order.settler == order.holder { 0 } else { bounty - half };
        let rest = paid - to_opener - to_settler;
        for (to, amount) in [(opener, to_opener), (order.settler, to_settler), (order.holder, rest)] {
            if amount > 0 {
                let pulled = !self.send(cx, ledger, to, amount)?;
                cx.emit(self.address, Event::Paid { incident: order.incident, to, amount, pulled });
            }
        }
        Ok(())
    }
}

/// floor(due · there / whole), the fraction at most one: what everyone may have by now. Of what is to be held and of
/// what is funded, what was paid to nobody's account is gone.
fn target(booking: &Booking, due: u128) -> Result<u128, MathError> {
    let whole = take(booking.need()?, booking.uncovered)?;
    if whole == 0 {
        return Ok(0);
    }
    let there = booking.funded.saturating_sub(booking.uncovered).min(whole);
    mul_div_floor(U256::from(due), U256::from(there), U256::from(whole))?.to_u128()
}
