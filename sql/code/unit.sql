CREATE FUNCTION sales_crm.seed_units(
	OUT code text, OUT en text, OUT fr text, OUT nl text, OUT de text)
RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
VALUES
	('C62', 'piece', 'pièce', 'stuk', 'Stück'),
	('LS', 'lump sum', 'forfait', 'forfait', 'Pauschale'),
	('E48', 'service', 'prestation', 'dienst', 'Leistung'),
	('SET', 'set', 'ensemble', 'set', 'Satz'),
	('PR', 'pair', 'paire', 'paar', 'Paar'),
	('DZN', 'dozen', 'douzaine', 'dozijn', 'Dutzend'),
	('XBX', 'box', 'boîte', 'doos', 'Karton'),
	('XPX', 'pallet', 'palette', 'pallet', 'Palette'),
	('MIN', 'minute', 'minute', 'minuut', 'Minute'),
	('HUR', 'hour', 'heure', 'uur', 'Stunde'),
	('DAY', 'day', 'jour', 'dag', 'Tag'),
	('WEE', 'week', 'semaine', 'week', 'Woche'),
	('MON', 'month', 'mois', 'maand', 'Monat'),
	('ANN', 'year', 'année', 'jaar', 'Jahr'),
	('GRM', 'gram', 'gramme', 'gram', 'Gramm'),
	('KGM', 'kilogram', 'kilogramme', 'kilogram', 'Kilogramm'),
	('TNE', 'tonne', 'tonne', 'ton', 'Tonne'),
	('MMT', 'millimetre', 'millimètre', 'millimeter', 'Millimeter'),
	('CMT', 'centimetre', 'centimètre', 'centimeter', 'Zentimeter'),
	('MTR', 'metre', 'mètre', 'meter', 'Meter'),
	('KMT', 'kilometre', 'kilomètre', 'kilometer', 'Kilometer'),
	('MTK', 'square metre', 'mètre carré', 'vierkante meter', 'Quadratmeter'),
	('MTQ', 'cubic metre', 'mètre cube', 'kubieke meter', 'Kubikmeter'),
	('MLT', 'millilitre', 'millilitre', 'milliliter', 'Milliliter'),
	('LTR', 'litre', 'litre', 'liter', 'Liter'),
	('KWH', 'kilowatt hour', 'kilowattheure', 'kilowattuur', 'Kilowattstunde')
$$;
COMMENT ON FUNCTION sales_crm.seed_units() IS
	'The units that setup() seeds: codes of UN/ECE Recommendation 20 and 21, and what they are called in each language it knows';
