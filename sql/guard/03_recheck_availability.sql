-- The availability keys to check again, each with the id of its check.
-- Grain: one availability key.
-- Reads: flipped_availability, doubted.
SELECT f.*
FROM flipped_availability AS f
SEMI JOIN doubted AS d
    ON d.subject = 'availability' AND d.customer_id = f.customer_id AND d.country = f.country;
