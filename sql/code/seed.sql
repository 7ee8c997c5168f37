CREATE FUNCTION sales_crm.seed_names(
	OUT relation text, OUT en text, OUT fr text, OUT nl text, OUT de text)
RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
VALUES
	('pipeline', 'Standard', 'Standard', 'Standaard', 'Standard'),
	('phase', 'New', 'Nouveau', 'Nieuw', 'Neu'),
	('phase', 'Contact', 'Contact', 'Contact', 'Kontakt'),
	('phase', 'Proposal', 'Proposition', 'Voorstel', 'Angebot'),
	('phase', 'Quotation signed', 'Devis signé', 'Offerte ondertekend', 'Angebot unterzeichnet'),
	('phase', 'Won', 'Gagné', 'Gewonnen', 'Gewonnen'),
	('phase', 'Lost', 'Perdu', 'Verloren', 'Verloren'),
	('phase', 'Expired', 'Expiré', 'Verlopen', 'Abgelaufen'),
	('source', 'Website', 'Site web', 'Website', 'Webseite'),
	('source', 'Referral', 'Recommandation', 'Aanbeveling', 'Empfehlung'),
	('source', 'Campaign', 'Campagne', 'Campagne', 'Kampagne'),
	('source', 'Trade fair', 'Salon professionnel', 'Vakbeurs', 'Messe'),
	('source', 'Phone call', 'Appel téléphonique', 'Telefoongesprek', 'Telefonat'),
	('source', 'Existing customer', 'Client existant', 'Bestaande klant', 'Bestandskunde'),
	('lost_reason', 'Price', 'Prix', 'Prijs', 'Preis'),
	('lost_reason', 'Competitor', 'Concurrent', 'Concurrent', 'Wettbewerber'),
	('lost_reason', 'No budget', 'Pas de budget', 'Geen budget', 'Kein Budget'),
	('lost_reason', 'No decision', 'Pas de décision', 'Geen beslissing', 'Keine Entscheidung'),
	('lost_reason', 'Not a fit', 'Besoin non couvert', 'Past niet', 'Passt nicht'),
	('follow_up_rule', 'Follow up', 'Relancer', 'Opvolgen', 'Nachfassen'),
	('tax_rate', 'VAT 21 %', 'TVA 21 %', 'Btw 21 %', 'MwSt. 21 %'),
	('tax_rate', 'VAT 0 %', 'TVA 0 %', 'Btw 0 %', 'MwSt. 0 %')
$$;
COMMENT ON FUNCTION sales_crm.seed_names() IS
	'What setup() calls the seed rows, in each language it knows';

CREATE FUNCTION sales_crm.seed_translate(locale text)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	seeded record;
	wanted text := left(locale, 2);
BEGIN
	IF wanted IS NULL OR wanted NOT IN ('en', 'fr', 'nl', 'de') THEN
		RAISE EXCEPTION 'locale "%" has no translations', locale
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'Known are en, fr, nl and de.';
	END IF;
	FOR seeded IN
		SELECT n.relation, CASE n.relation WHEN 'follow_up_rule' THEN 'subject' ELSE 'name' END AS field,
			array[n.en, n.fr, n.nl, n.de] AS known,
			CASE wanted WHEN 'fr' THEN n.fr WHEN 'nl' THEN n.nl WHEN 'de' THEN n.de ELSE n.en END AS name
		FROM (
			SELECT * FROM sales_crm.seed_names()
			UNION ALL
			SELECT 'unit', u.en, u.fr, u.nl, u.de FROM sales_crm.seed_units() u) n
	LOOP
		EXECUTE format('UPDATE sales_crm.%I SET %2$I = $1 WHERE %2$I = ANY ($2) AND %2$I <> $1',
			seeded.relation, seeded.field)
		USING seeded.name, seeded.known;
	END LOOP;
	UPDATE sales_crm.company c SET locale = seed_translate.locale
	WHERE c.locale IS DISTINCT FROM seed_translate.locale;
END
$$;
COMMENT ON FUNCTION sales_crm.seed_translate(text) IS
	'Names the seed rows that still carry one of their seeded names in another language, and makes that the company''s locale. Errors: 22023 when there is no translation';
