-- The templates that setup() seeds: one per language, all with the default document.

CREATE FUNCTION sales_crm.seed_quote_templates(
	OUT name text, OUT locale text, OUT body text, OUT introduction text, OUT terms text, OUT valid_days integer)
RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT v.name, v.locale, sales_crm.default_quote_body(), v.introduction, v.terms, 30
FROM (VALUES
	('Quotation', 'en',
		'Thank you for your interest. We are pleased to offer you the following.',
		'This offer holds until the date above. Payment within 30 days of the invoice.'),
	('Devis', 'fr',
		'Nous vous remercions de votre intérêt et avons le plaisir de vous proposer ce qui suit.',
		'Cette offre est valable jusqu’à la date indiquée ci-dessus. Paiement dans les 30 jours suivant la facture.'),
	('Offerte', 'nl',
		'Bedankt voor uw interesse. Graag bieden we u het volgende aan.',
		'Dit aanbod geldt tot en met de bovenvermelde datum. Betaling binnen 30 dagen na factuur.'),
	('Angebot', 'de',
		'Vielen Dank für Ihr Interesse. Gern bieten wir Ihnen Folgendes an.',
		'Dieses Angebot gilt bis zum oben genannten Datum. Zahlung innerhalb von 30 Tagen nach Rechnung.'))
	AS v (name, locale, introduction, terms)
$$;
COMMENT ON FUNCTION sales_crm.seed_quote_templates() IS
	'The templates of quotes that setup() seeds, one in each language it knows';
