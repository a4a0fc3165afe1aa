-- The availability keys that are asked about once more, with the check that holds each.
-- Grain:  one availability key.  Tables: flipped_availability, doubted.
SELECT f.*
FROM flipped_availability AS f
SEMI JOIN doubted AS d
    ON d.subject = 'availability' AND d.customer_id = f.customer_id AND d.country = f.country;
