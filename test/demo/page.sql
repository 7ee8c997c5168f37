-- A quote for the demo's page, and the login that the page reads it with; prints the link. Variable: url.
CREATE ROLE portal LOGIN IN ROLE sales_crm_portal;
UPDATE sales_crm.company SET portal_url = :'url';
INSERT INTO sales_crm.opportunity (name, account_id, owner_id)
SELECT 'A quote to sign', o.account_id, o.owner_id FROM sales_crm.opportunity o WHERE o.owner_id IS NOT NULL ORDER BY o.opportunity_id LIMIT 1
RETURNING opportunity_id \gset
INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price)
VALUES (:opportunity_id, 'Floor lamp Aurora', 3, 189), (:opportunity_id, 'Installation', 1, 240);
SELECT s.link FROM sales_crm.create_quote(:opportunity_id) q, sales_crm.send_quote(q, 'link', recipient_name => 'Anna Peeters', email => 'anna@lumiere.example') s;
