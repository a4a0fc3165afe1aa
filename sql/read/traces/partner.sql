-- The partners that ever asked about a customer.
-- Grain: one partner.
-- Binds: customer.
SELECT DISTINCT partner_tenant_id FROM coverage WHERE customer_id = $customer;
