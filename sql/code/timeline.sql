CREATE FUNCTION sales_crm.timeline_words(
	OUT word text, OUT en text, OUT fr text, OUT nl text, OUT de text)
RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
VALUES
	('created', 'Opportunity created', 'Opportunité créée', 'Opportuniteit aangemaakt', 'Verkaufschance angelegt'),
	('phase', 'Phase', 'Phase', 'Fase', 'Phase'),
	('change', 'Changed', 'Modifié', 'Gewijzigd', 'Geändert'),
	('task', 'Task', 'Tâche', 'Taak', 'Aufgabe'),
	('task done', 'Task done', 'Tâche terminée', 'Taak afgerond', 'Aufgabe erledigt'),
	('task change', 'Task changed', 'Tâche modifiée', 'Taak gewijzigd', 'Aufgabe geändert'),
	('appointment', 'Appointment', 'Rendez-vous', 'Afspraak', 'Termin'),
	('appointment change', 'Appointment changed', 'Rendez-vous modifié', 'Afspraak gewijzigd', 'Termin geändert'),
	('note', 'Note', 'Note', 'Notitie', 'Notiz'),
	('incoming', 'E-mail received', 'E-mail reçu', 'E-mail ontvangen', 'E-Mail empfangen'),
	('outgoing', 'E-mail sent', 'E-mail envoyé', 'E-mail verzonden', 'E-Mail gesendet'),
	('attachment', 'Attachment', 'Pièce jointe', 'Bijlage', 'Anhang'),
	('quote', 'Quotation', 'Devis', 'Offerte', 'Angebot'),
	('quote created', 'created', 'créé', 'gemaakt', 'erstellt'),
	('quote sent', 'sent', 'envoyé', 'verzonden', 'gesendet'),
	('quote viewed', 'opened', 'ouvert', 'geopend', 'geöffnet'),
	('quote signed', 'signed', 'signé', 'ondertekend', 'unterzeichnet'),
	('quote change_requested', 'change requested', 'modification demandée', 'wijziging gevraagd', 'Änderung gewünscht'),
	('quote declined', 'declined', 'refusé', 'geweigerd', 'abgelehnt'),
	('quote expired', 'expired', 'expiré', 'verlopen', 'abgelaufen'),
	('quote extended', 'made valid longer', 'prolongé', 'verlengd', 'verlängert'),
	('quote withdrawn', 'withdrawn', 'retiré', 'ingetrokken', 'zurückgezogen'),
	('quote superseded', 'superseded', 'remplacé', 'vervangen', 'ersetzt'),
	('quote reminded', 'reminder sent', 'rappel envoyé', 'herinnering verzonden', 'Erinnerung gesendet'),
	('name', 'name', 'nom', 'naam', 'Name'),
	('account_id', 'account', 'relation', 'relatie', 'Kunde'),
	('contact_id', 'contact', 'contact', 'contact', 'Kontakt'),
	('pipeline_id', 'pipeline', 'pipeline', 'pipeline', 'Pipeline'),
	('owner_id', 'owner', 'responsable', 'eigenaar', 'Besitzer'),
	('source_id', 'source', 'source', 'bron', 'Quelle'),
	('amount', 'amount', 'montant', 'bedrag', 'Betrag'),
	('currency', 'currency', 'devise', 'munt', 'Währung'),
	('expected_on', 'expected date', 'date prévue', 'verwachte datum', 'erwartetes Datum'),
	('probability_override', 'probability', 'probabilité', 'kans', 'Wahrscheinlichkeit'),
	('lost_reason_id', 'reason', 'raison', 'reden', 'Grund'),
	('done', 'done', 'terminée', 'afgerond', 'erledigt'),
	('undone', 'open again', 'rouverte', 'heropend', 'wieder offen'),
	('assignee_id', 'assignee', 'assignée à', 'toegewezen aan', 'zugewiesen an'),
	('due_on', 'due date', 'échéance', 'vervaldatum', 'fällig am'),
	('priority', 'priority', 'priorité', 'prioriteit', 'Priorität'),
	('subject', 'subject', 'objet', 'onderwerp', 'Betreff'),
	('starts_at', 'begins', 'début', 'begin', 'Beginn'),
	('ends_at', 'ends', 'fin', 'einde', 'Ende'),
	('location', 'place', 'lieu', 'plaats', 'Ort'),
	('organiser_id', 'organiser', 'organisateur', 'organisator', 'Organisator'),
	('cancelled_at', 'cancelled', 'annulé', 'geannuleerd', 'abgesagt')
$$;
COMMENT ON FUNCTION sales_crm.timeline_words() IS
	'What the timeline calls kinds of events and columns, in each language it knows';

CREATE FUNCTION sales_crm.timeline_words(locale text)
RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_object_agg(w.word, CASE left(locale, 2) WHEN 'fr' THEN w.fr WHEN 'nl' THEN w.nl WHEN 'de' THEN w.de ELSE w.en END)
	FROM sales_crm.timeline_words() w
$$;
COMMENT ON FUNCTION sales_crm.timeline_words(text) IS
	'The words of the timeline in the language of a locale, English where it is not known';

CREATE FUNCTION sales_crm.timeline_line(words jsonb, kind text, title text, old text, new text)
RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	line text := coalesce(words ->> kind, kind) || CASE kind WHEN 'quote' THEN ' ' ELSE ': ' END;
BEGIN
	IF kind = 'phase' THEN
		line := concat(line, new);
	ELSIF kind IN ('change', 'task change', 'appointment change') THEN
		line := line || coalesce(words ->> title, title);
		IF num_nonnulls(old, new) > 0 THEN
			line := concat(line, ' ', coalesce(old, '–'), ' → ', coalesce(new, '–'));
		END IF;
	ELSIF kind IN ('incoming', 'outgoing') THEN
		line := line || concat_ws(' – ', nullif(new, ''), nullif(title, ''));
	ELSIF kind = 'quote' THEN
		line := concat_ws(' ', line || title, coalesce(words ->> ('quote ' || new), new)) || coalesce(': ' || old, '');
	ELSE
		line := line || title;
	END IF;
	RETURN left(translate(line, E'\n\r\t', '   '), 300);
END
$$;
COMMENT ON FUNCTION sales_crm.timeline_line(jsonb, text, text, text, text) IS
	'One line of text for an event of the timeline, at most 300 characters';

CREATE FUNCTION sales_crm.timeline_page(
	opportunity_id bigint, before_at timestamptz DEFAULT 'infinity', before_kind text DEFAULT NULL,
	before_id bigint DEFAULT NULL, max_rows integer DEFAULT 50)
RETURNS TABLE (at timestamptz, kind text, line text, member_id bigint, member text, record_id bigint, parent_id bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
	since timestamptz;
BEGIN
	-- How far back a page goes: from each source's index no more entries than it has
	SELECT coalesce(min(e.at), '-infinity') INTO since
	FROM (
		SELECT u.at FROM (
			(SELECT s.entered_at AS at FROM sales_crm.phase_stay s WHERE s.opportunity_id = opportunity_id AND s.entered_at < before_at ORDER BY s.entered_at DESC LIMIT max_rows)
			UNION ALL
			(SELECT s.at AS at FROM sales_crm.opportunity_change s WHERE s.opportunity_id = opportunity_id AND s.at < before_at AND s.field <> 'phase_id' ORDER BY s.at DESC LIMIT max_rows)
			UNION ALL
			(SELECT s.created_at AS at FROM sales_crm.task s WHERE s.opportunity_id = opportunity_id AND s.created_at < before_at ORDER BY s.created_at DESC LIMIT max_rows)
			UNION ALL
			(SELECT s.done_at AS at FROM sales_crm.task s WHERE s.opportunity_id = opportunity_id AND s.done_at < before_at ORDER BY s.done_at DESC LIMIT max_rows)
			UNION ALL
			(SELECT s.at AS at FROM sales_crm.task_change s WHERE s.opportunity_id = opportunity_id AND s.at < before_at ORDER BY s.at DESC LIMIT max_rows)
			UNION ALL
			(SELECT s.starts_at AS at FROM sales_crm.appointment s WHERE s.opportunity_id = opportunity_id AND s.starts_at < before_at ORDER BY s.starts_at DESC LIMIT max_rows)
			UNION ALL
			(SELECT s.at AS at FROM sales_crm.appointment_change s WHERE s.opportunity_id = opportunity_id AND s.at < before_at ORDER BY s.at DESC LIMIT max_rows)
			UNION ALL
			(SELECT s.created_at AS at FROM sales_crm.note s WHERE s.opportunity_id = opportunity_id AND s.created_at < before_at ORDER BY s.created_at DESC LIMIT max_rows)
			UNION ALL
			(SELECT s.sent_at AS at FROM sales_crm.email s WHERE s.opportunity_id = opportunity_id AND s.sent_at < before_at ORDER BY s.sent_at DESC LIMIT max_rows)
			UNION ALL
			(SELECT s.created_at AS at FROM sales_crm.attachment s WHERE s.opportunity_id = opportunity_id AND s.created_at < before_at ORDER BY s.created_at DESC LIMIT max_rows)
			UNION ALL
			(SELECT e.at FROM sales_crm.quote s JOIN sales_crm.quote_event e USING (quote_id) WHERE s.opportunity_id = opportunity_id AND e.at < before_at
				AND e.kind NOT IN ('link_created', 'link_revoked', 'code_sent', 'document') ORDER BY e.at DESC LIMIT max_rows)
			UNION ALL
			(SELECT s.created_at AS at FROM sales_crm.opportunity s WHERE s.opportunity_id = opportunity_id AND s.created_at < before_at ORDER BY s.created_at DESC LIMIT max_rows)) u
		ORDER BY u.at DESC LIMIT max_rows) e;
	RETURN QUERY
	SELECT t.at, t.kind, t.line, t.member_id, t.member, t.record_id, t.parent_id
	FROM sales_crm.timeline t
	WHERE t.opportunity_id = opportunity_id AND t.at >= since AND t.at <= before_at
		AND (t.at < before_at OR before_kind IS NULL OR (t.kind COLLATE "C", t.record_id) < (before_kind, before_id))
	ORDER BY t.at DESC, t.kind COLLATE "C" DESC, t.record_id DESC
	LIMIT max_rows;
END
$$;
COMMENT ON FUNCTION sales_crm.timeline_page(bigint, timestamptz, text, bigint, integer) IS
	'A page of an opportunity''s timeline, newest first; at, kind and record_id of its last row, given as before_…, ask for the next page';
