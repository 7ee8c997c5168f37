-- What templates of quotes are filled with: the snapshot's facts, written as a reader of its locale
-- writes them, and the words around them.

CREATE FUNCTION sales_crm.quote_words(locale text)
RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
	SELECT CASE left(locale, 2)
		WHEN 'fr' THEN jsonb '{
			"quote": "Devis", "draft": "Projet", "number": "Numéro", "version": "Version", "date": "Date", "valid_until": "Valable jusqu’au",
			"customer": "À l’attention de", "contact": "Votre contact", "vat_number": "N° TVA", "position": "N°", "description": "Désignation",
			"quantity": "Quantité", "unit_price": "Prix unitaire", "discount": "Remise", "amount": "Montant", "per": "par", "optional": "En option",
			"optional_note": "Les articles en option ne sont pas compris dans le total.", "subtotal": "Sous-total", "total_net": "Total hors TVA",
			"vat": "TVA", "on": "sur", "total": "Total TTC", "of_which": "dont TVA", "prices_include_tax": "Les prix s’entendent TVA comprise.",
			"rate": "Taux", "base": "Base", "terms": "Conditions", "page": "Page", "acceptance": "Bon pour accord", "name": "Nom",
			"note_AE": "Autoliquidation : la TVA est due par le preneur.", "note_K": "Livraison intracommunautaire exonérée de TVA.", "note_G": "Exportation exonérée de TVA.",
			"note_E": "Exonéré de TVA.", "note_O": "Hors champ d’application de la TVA.",
			"evidence": "Preuve de signature", "signed": "Signé électroniquement", "signed_on_paper": "Signé sur papier", "signed_by": "Signé par", "email": "E-mail", "signed_at": "Signé le",
			"address": "Adresse IP", "device": "Navigateur", "agreement": "Accord donné", "signature": "Signature", "typed": "Signé en écrivant son nom",
			"fingerprint": "Empreinte SHA-256 du document", "fingerprint_note": "Elle porte sur le contenu du devis tel qu’il a été lu et signé ; la moindre modification la changerait. Ce contenu est joint à ce fichier.",
			"history": "Historique", "event": "Événement", "who": "Par", "time": "Date et heure", "chain": "Empreinte",
			"event_created": "Créé", "event_sent": "Envoyé", "event_viewed": "Ouvert", "event_signed": "Signé", "event_extended": "Validité prolongée", "event_link_created": "Lien créé", "event_link_revoked": "Lien retiré", "event_reminded": "Rappel envoyé", "event_code_sent": "Code envoyé"}'
		WHEN 'nl' THEN jsonb '{
			"quote": "Offerte", "draft": "Concept", "number": "Nummer", "version": "Versie", "date": "Datum", "valid_until": "Geldig tot en met",
			"customer": "Voor", "contact": "Uw contactpersoon", "vat_number": "Btw-nummer", "position": "Nr.", "description": "Omschrijving",
			"quantity": "Aantal", "unit_price": "Eenheidsprijs", "discount": "Korting", "amount": "Bedrag", "per": "per", "optional": "Optioneel",
			"optional_note": "Optionele artikelen zijn niet in het totaal begrepen.", "subtotal": "Subtotaal", "total_net": "Totaal excl. btw",
			"vat": "Btw", "on": "over", "total": "Totaal incl. btw", "of_which": "waarvan btw", "prices_include_tax": "Prijzen zijn inclusief btw.",
			"rate": "Tarief", "base": "Grondslag", "terms": "Voorwaarden", "page": "Pagina", "acceptance": "Voor akkoord", "name": "Naam",
			"note_AE": "Btw verlegd: de btw is verschuldigd door de afnemer.", "note_K": "Intracommunautaire levering vrijgesteld van btw.", "note_G": "Uitvoer vrijgesteld van btw.",
			"note_E": "Vrijgesteld van btw.", "note_O": "Buiten het toepassingsgebied van de btw.",
			"evidence": "Bewijs van ondertekening", "signed": "Elektronisch ondertekend", "signed_on_paper": "Ondertekend op papier", "signed_by": "Ondertekend door", "email": "E-mail", "signed_at": "Ondertekend op",
			"address": "IP-adres", "device": "Browser", "agreement": "Gegeven akkoord", "signature": "Handtekening", "typed": "Ondertekend door de naam te typen",
			"fingerprint": "SHA-256-vingerafdruk van het document", "fingerprint_note": "Hij is berekend over de inhoud van de offerte zoals ze gelezen en ondertekend is; elke wijziging zou hem veranderen. Die inhoud zit in dit bestand.",
			"history": "Verloop", "event": "Gebeurtenis", "who": "Door", "time": "Tijdstip", "chain": "Vingerafdruk",
			"event_created": "Gemaakt", "event_sent": "Verzonden", "event_viewed": "Geopend", "event_signed": "Ondertekend", "event_extended": "Geldigheid verlengd", "event_link_created": "Link gemaakt", "event_link_revoked": "Link ingetrokken", "event_reminded": "Herinnering verzonden", "event_code_sent": "Code verzonden"}'
		WHEN 'de' THEN jsonb '{
			"quote": "Angebot", "draft": "Entwurf", "number": "Nummer", "version": "Version", "date": "Datum", "valid_until": "Gültig bis",
			"customer": "Für", "contact": "Ihr Ansprechpartner", "vat_number": "USt-IdNr.", "position": "Pos.", "description": "Bezeichnung",
			"quantity": "Menge", "unit_price": "Einzelpreis", "discount": "Rabatt", "amount": "Betrag", "per": "je", "optional": "Optional",
			"optional_note": "Optionale Positionen sind in der Summe nicht enthalten.", "subtotal": "Zwischensumme", "total_net": "Summe netto",
			"vat": "MwSt.", "on": "auf", "total": "Gesamtbetrag", "of_which": "darin MwSt.", "prices_include_tax": "Die Preise enthalten die Mehrwertsteuer.",
			"rate": "Satz", "base": "Netto", "terms": "Bedingungen", "page": "Seite", "acceptance": "Auftrag erteilt", "name": "Name",
			"note_AE": "Steuerschuldnerschaft des Leistungsempfängers.", "note_K": "Steuerfreie innergemeinschaftliche Lieferung.", "note_G": "Steuerfreie Ausfuhrlieferung.",
			"note_E": "Von der Mehrwertsteuer befreit.", "note_O": "Nicht steuerbar.",
			"evidence": "Nachweis der Unterzeichnung", "signed": "Elektronisch unterzeichnet", "signed_on_paper": "Auf Papier unterzeichnet", "signed_by": "Unterzeichnet von", "email": "E-Mail", "signed_at": "Unterzeichnet am",
			"address": "IP-Adresse", "device": "Browser", "agreement": "Erteilte Zustimmung", "signature": "Unterschrift", "typed": "Unterzeichnet durch Eingabe des Namens",
			"fingerprint": "SHA-256-Prüfsumme des Dokuments", "fingerprint_note": "Sie gilt dem Inhalt des Angebots, wie er gelesen und unterzeichnet wurde; jede Änderung würde sie ändern. Dieser Inhalt liegt der Datei bei.",
			"history": "Verlauf", "event": "Ereignis", "who": "Durch", "time": "Zeitpunkt", "chain": "Prüfsumme",
			"event_created": "Erstellt", "event_sent": "Gesendet", "event_viewed": "Geöffnet", "event_signed": "Unterzeichnet", "event_extended": "Gültigkeit verlängert", "event_link_created": "Link erstellt", "event_link_revoked": "Link widerrufen", "event_reminded": "Erinnerung gesendet", "event_code_sent": "Code gesendet"}'
		ELSE jsonb '{
			"quote": "Quotation", "draft": "Draft", "number": "Number", "version": "Version", "date": "Date", "valid_until": "Valid until",
			"customer": "Prepared for", "contact": "Your contact", "vat_number": "VAT number", "position": "No.", "description": "Description",
			"quantity": "Quantity", "unit_price": "Unit price", "discount": "Discount", "amount": "Amount", "per": "per", "optional": "Optional",
			"optional_note": "Optional items are not part of the total.", "subtotal": "Subtotal", "total_net": "Total excl. VAT",
			"vat": "VAT", "on": "on", "total": "Total incl. VAT", "of_which": "of which VAT", "prices_include_tax": "Prices include VAT.",
			"rate": "Rate", "base": "Base", "terms": "Terms and conditions", "page": "Page", "acceptance": "Accepted", "name": "Name",
			"note_AE": "Reverse charge: VAT is to be accounted for by the recipient.", "note_K": "Intra-community supply, exempt from VAT.", "note_G": "Export, exempt from VAT.",
			"note_E": "Exempt from VAT.", "note_O": "Outside the scope of VAT.",
			"evidence": "Evidence of signature", "signed": "Signed electronically", "signed_on_paper": "Signed on paper", "signed_by": "Signed by", "email": "E-mail", "signed_at": "Signed at",
			"address": "IP address", "device": "Browser", "agreement": "Agreement given", "signature": "Signature", "typed": "Signed by typing the name",
			"fingerprint": "SHA-256 fingerprint of the document", "fingerprint_note": "It is computed over the content of the quotation as it was read and signed; any change would change it. That content is part of this file.",
			"history": "History", "event": "Event", "who": "By", "time": "Time", "chain": "Fingerprint",
			"event_created": "Created", "event_sent": "Sent", "event_viewed": "Opened", "event_signed": "Signed", "event_extended": "Validity extended", "event_link_created": "Link made", "event_link_revoked": "Link revoked", "event_reminded": "Reminder sent", "event_code_sent": "Code sent"}'
		END
$$;
COMMENT ON FUNCTION sales_crm.quote_words(text) IS
	'The words on quotes in the language of a locale: en, fr, nl or de, English for others';

CREATE FUNCTION sales_crm.readable_color(color text)
RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_readable_color';
COMMENT ON FUNCTION sales_crm.readable_color(text) IS
	'A colour, made so dark that text in it is readable on white, and white text on it (contrast of at least 5; WCAG 2.2 asks for 4.5). Errors: 22023 for what is not #rrggbb';

CREATE FUNCTION sales_crm.quote_view_data(snapshot jsonb)
RETURNS jsonb LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_quote_view_data';
COMMENT ON FUNCTION sales_crm.quote_view_data(jsonb) IS
	'The data that a template of quotes is filled with, made from the snapshot of a quote; doc/template.md lists it';
