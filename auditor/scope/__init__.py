"""Wave 1: finds the customers, Azure subscriptions, products and SKUs that checks ask about."""
