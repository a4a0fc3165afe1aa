"""Wave 1: which customers, Azure subscriptions, products and SKUs there are to ask about."""
