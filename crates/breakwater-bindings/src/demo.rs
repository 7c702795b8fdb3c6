//! The contracts of the demo, which are unsafe on purpose, from the committed artifacts.
// The macro writes one item for each item of an ABI; the documentation is in the Solidity files.
#![allow(missing_docs, clippy::too_many_arguments)]

use alloy::sol;

sol! {
    #![sol(all_derives = true)]
    DemoBank, concat!(env!("OUT_DIR"), "/DemoBank.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoBankAttack, concat!(env!("OUT_DIR"), "/DemoBankAttack.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoToken, concat!(env!("OUT_DIR"), "/DemoToken.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoVault, concat!(env!("OUT_DIR"), "/DemoVault.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoVaultAttack, concat!(env!("OUT_DIR"), "/DemoVaultAttack.json")
}
sol! {
    #![sol(all_derives = true)]
    GuardedVault, concat!(env!("OUT_DIR"), "/GuardedVault.json")
}
sol! {
    #![sol(all_derives = true)]
    GuardedVaultAttack, concat!(env!("OUT_DIR"), "/GuardedVaultAttack.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoPair, concat!(env!("OUT_DIR"), "/DemoPair.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoPairAttack, concat!(env!("OUT_DIR"), "/DemoPairAttack.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoSavings, concat!(env!("OUT_DIR"), "/DemoSavings.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoSavingsV2, concat!(env!("OUT_DIR"), "/DemoSavingsV2.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoTreasury, concat!(env!("OUT_DIR"), "/DemoTreasury.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoTreasuryAttack, concat!(env!("OUT_DIR"), "/DemoTreasuryAttack.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoLoans, concat!(env!("OUT_DIR"), "/DemoLoans.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoLoansAttack, concat!(env!("OUT_DIR"), "/DemoLoansAttack.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoSpotFeed, concat!(env!("OUT_DIR"), "/DemoSpotFeed.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoAggregator, concat!(env!("OUT_DIR"), "/DemoAggregator.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoMarket, concat!(env!("OUT_DIR"), "/DemoMarket.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoMarketV2, concat!(env!("OUT_DIR"), "/DemoMarketV2.json")
}
sol! {
    #![sol(all_derives = true)]
    DemoMarketAttack, concat!(env!("OUT_DIR"), "/DemoMarketAttack.json")
}
sol! {
    #![sol(all_derives = true)]
    UpgradableProxy, concat!(env!("OUT_DIR"), "/UpgradableProxy.json")
}
