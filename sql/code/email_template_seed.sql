-- What e-mails say at first, per event and language. E-mails to members end where the text ends;
-- those to customers begin and end as letters do.
CREATE FUNCTION sales_crm.seed_email_templates(OUT event text, OUT locale text, OUT subject text, OUT body_text text)
RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
VALUES
	('quote.sent', 'en', 'Quote {{quote.number}} from {{company.name}}',
'{{#recipient.name}}Dear {{recipient.name}},{{/recipient.name}}{{^recipient.name}}Hello,{{/recipient.name}}

Here is our quote {{quote.number}}{{#quote.title}}, {{quote.title}}{{/quote.title}}, for a total of {{quote.gross}}. You can read, sign or answer it here:

{{link}}

It is valid until {{quote.valid_until}}. Should you have a question, simply reply to this e-mail.

Kind regards,
{{#seller.name}}{{seller.name}}
{{/seller.name}}{{company.name}}'),
	('quote.sent', 'fr', 'Devis {{quote.number}} de {{company.name}}',
'Bonjour{{#recipient.name}} {{recipient.name}}{{/recipient.name}},

Voici notre devis {{quote.number}}{{#quote.title}}, {{quote.title}}{{/quote.title}}, pour un total de {{quote.gross}}. Vous pouvez le lire, le signer ou y répondre ici :

{{link}}

Il est valable jusqu''au {{quote.valid_until}}. Pour toute question, répondez simplement à cet e-mail.

Cordialement,
{{#seller.name}}{{seller.name}}
{{/seller.name}}{{company.name}}'),
	('quote.sent', 'nl', 'Offerte {{quote.number}} van {{company.name}}',
'{{#recipient.name}}Beste {{recipient.name}},{{/recipient.name}}{{^recipient.name}}Hallo,{{/recipient.name}}

Hier is onze offerte {{quote.number}}{{#quote.title}}, {{quote.title}}{{/quote.title}}, voor een totaal van {{quote.gross}}. U kunt ze hier lezen, ondertekenen of beantwoorden:

{{link}}

Ze is geldig tot en met {{quote.valid_until}}. Hebt u een vraag, beantwoord dan gewoon deze e-mail.

Met vriendelijke groet,
{{#seller.name}}{{seller.name}}
{{/seller.name}}{{company.name}}'),
	('quote.sent', 'de', 'Angebot {{quote.number}} von {{company.name}}',
'Guten Tag{{#recipient.name}} {{recipient.name}}{{/recipient.name}},

hier ist unser Angebot {{quote.number}}{{#quote.title}}, {{quote.title}}{{/quote.title}}, über insgesamt {{quote.gross}}. Hier können Sie es lesen, unterzeichnen oder beantworten:

{{link}}

Es gilt bis {{quote.valid_until}}. Wenn Sie eine Frage haben, antworten Sie einfach auf diese E-Mail.

Mit freundlichen Grüßen
{{#seller.name}}{{seller.name}}
{{/seller.name}}{{company.name}}'),
	('quote.reminder', 'en', 'Reminder: quote {{quote.number}} from {{company.name}}',
'{{#recipient.name}}Dear {{recipient.name}},{{/recipient.name}}{{^recipient.name}}Hello,{{/recipient.name}}

Our quote {{quote.number}}{{#quote.title}}, {{quote.title}}{{/quote.title}}, is still waiting for your answer. It is valid until {{quote.valid_until}}; {{#link}}here it is:

{{link}}{{/link}}{{^link}}our earlier e-mail has the link to it.{{/link}}

Is something not clear, or should we change something? Simply reply to this e-mail.

Kind regards,
{{#seller.name}}{{seller.name}}
{{/seller.name}}{{company.name}}'),
	('quote.reminder', 'fr', 'Rappel : devis {{quote.number}} de {{company.name}}',
'Bonjour{{#recipient.name}} {{recipient.name}}{{/recipient.name}},

Notre devis {{quote.number}}{{#quote.title}}, {{quote.title}}{{/quote.title}}, attend encore votre réponse. Il est valable jusqu''au {{quote.valid_until}} ; {{#link}}le voici :

{{link}}{{/link}}{{^link}}notre e-mail précédent contient le lien.{{/link}}

Un point n''est pas clair, ou faut-il changer quelque chose ? Répondez simplement à cet e-mail.

Cordialement,
{{#seller.name}}{{seller.name}}
{{/seller.name}}{{company.name}}'),
	('quote.reminder', 'nl', 'Herinnering: offerte {{quote.number}} van {{company.name}}',
'{{#recipient.name}}Beste {{recipient.name}},{{/recipient.name}}{{^recipient.name}}Hallo,{{/recipient.name}}

Onze offerte {{quote.number}}{{#quote.title}}, {{quote.title}}{{/quote.title}}, wacht nog op uw antwoord. Ze is geldig tot en met {{quote.valid_until}}; {{#link}}hier is ze:

{{link}}{{/link}}{{^link}}in onze vorige e-mail vindt u de link.{{/link}}

Is iets niet duidelijk, of moet er iets anders? Beantwoord dan gewoon deze e-mail.

Met vriendelijke groet,
{{#seller.name}}{{seller.name}}
{{/seller.name}}{{company.name}}'),
	('quote.reminder', 'de', 'Erinnerung: Angebot {{quote.number}} von {{company.name}}',
'Guten Tag{{#recipient.name}} {{recipient.name}}{{/recipient.name}},

unser Angebot {{quote.number}}{{#quote.title}}, {{quote.title}}{{/quote.title}}, wartet noch auf Ihre Antwort. Es gilt bis {{quote.valid_until}}; {{#link}}hier ist es:

{{link}}{{/link}}{{^link}}der Link steht in unserer letzten E-Mail.{{/link}}

Ist etwas unklar, oder sollen wir etwas ändern? Antworten Sie einfach auf diese E-Mail.

Mit freundlichen Grüßen
{{#seller.name}}{{seller.name}}
{{/seller.name}}{{company.name}}'),
	('quote.confirmed', 'en', 'Signed: quote {{quote.number}} from {{company.name}}',
'{{#recipient.name}}Dear {{recipient.name}},{{/recipient.name}}{{^recipient.name}}Hello,{{/recipient.name}}

Thank you for signing quote {{quote.number}}{{#quote.title}}, {{quote.title}}{{/quote.title}}, for a total of {{quote.gross}}. The signed document is attached for your records.

Kind regards,
{{#seller.name}}{{seller.name}}
{{/seller.name}}{{company.name}}'),
	('quote.confirmed', 'fr', 'Signé : devis {{quote.number}} de {{company.name}}',
'Bonjour{{#recipient.name}} {{recipient.name}}{{/recipient.name}},

Merci d''avoir signé le devis {{quote.number}}{{#quote.title}}, {{quote.title}}{{/quote.title}}, pour un total de {{quote.gross}}. Le document signé est joint pour vos dossiers.

Cordialement,
{{#seller.name}}{{seller.name}}
{{/seller.name}}{{company.name}}'),
	('quote.confirmed', 'nl', 'Ondertekend: offerte {{quote.number}} van {{company.name}}',
'{{#recipient.name}}Beste {{recipient.name}},{{/recipient.name}}{{^recipient.name}}Hallo,{{/recipient.name}}

Bedankt voor het ondertekenen van offerte {{quote.number}}{{#quote.title}}, {{quote.title}}{{/quote.title}}, voor een totaal van {{quote.gross}}. Het ondertekende document vindt u in de bijlage.

Met vriendelijke groet,
{{#seller.name}}{{seller.name}}
{{/seller.name}}{{company.name}}'),
	('quote.confirmed', 'de', 'Unterzeichnet: Angebot {{quote.number}} von {{company.name}}',
'Guten Tag{{#recipient.name}} {{recipient.name}}{{/recipient.name}},

vielen Dank, dass Sie das Angebot {{quote.number}}{{#quote.title}}, {{quote.title}}{{/quote.title}}, über insgesamt {{quote.gross}} unterzeichnet haben. Das unterzeichnete Dokument liegt für Ihre Unterlagen bei.

Mit freundlichen Grüßen
{{#seller.name}}{{seller.name}}
{{/seller.name}}{{company.name}}'),
	('quote.code', 'en', '{{code}} is your code for quote {{quote.number}}',
'{{#recipient.name}}Dear {{recipient.name}},{{/recipient.name}}{{^recipient.name}}Hello,{{/recipient.name}}

Your code for signing quote {{quote.number}} is:

{{code}}

It is valid for a few minutes. If you did not ask for it, you need not do anything, and please do not pass it on.

Kind regards,
{{#seller.name}}{{seller.name}}
{{/seller.name}}{{company.name}}'),
	('quote.code', 'fr', '{{code}} est votre code pour le devis {{quote.number}}',
'Bonjour{{#recipient.name}} {{recipient.name}}{{/recipient.name}},

Votre code pour signer le devis {{quote.number}} est :

{{code}}

Il est valable quelques minutes. Si vous ne l''avez pas demandé, vous n''avez rien à faire ; ne le communiquez à personne.

Cordialement,
{{#seller.name}}{{seller.name}}
{{/seller.name}}{{company.name}}'),
	('quote.code', 'nl', '{{code}} is uw code voor offerte {{quote.number}}',
'{{#recipient.name}}Beste {{recipient.name}},{{/recipient.name}}{{^recipient.name}}Hallo,{{/recipient.name}}

Uw code om offerte {{quote.number}} te ondertekenen is:

{{code}}

Ze is enkele minuten geldig. Hebt u ze niet gevraagd, dan hoeft u niets te doen; geef ze aan niemand door.

Met vriendelijke groet,
{{#seller.name}}{{seller.name}}
{{/seller.name}}{{company.name}}'),
	('quote.code', 'de', '{{code}} ist Ihr Code für das Angebot {{quote.number}}',
'Guten Tag{{#recipient.name}} {{recipient.name}}{{/recipient.name}},

Ihr Code zum Unterzeichnen des Angebots {{quote.number}} lautet:

{{code}}

Er gilt einige Minuten. Wenn Sie ihn nicht angefordert haben, brauchen Sie nichts zu tun; geben Sie ihn bitte nicht weiter.

Mit freundlichen Grüßen
{{#seller.name}}{{seller.name}}
{{/seller.name}}{{company.name}}'),
	('quote.signed', 'en', 'Signed: {{quote.number}} by {{customer.name}}',
'{{#name}}{{name}}{{/name}}{{^name}}{{customer.name}}{{/name}} has signed quote {{quote.number}} for {{customer.name}}: {{quote.gross}}.

Opportunity: {{opportunity.name}}'),
	('quote.signed', 'fr', 'Signé : {{quote.number}} par {{customer.name}}',
'{{#name}}{{name}}{{/name}}{{^name}}{{customer.name}}{{/name}} a signé le devis {{quote.number}} pour {{customer.name}} : {{quote.gross}}.

Opportunité : {{opportunity.name}}'),
	('quote.signed', 'nl', 'Ondertekend: {{quote.number}} door {{customer.name}}',
'{{#name}}{{name}}{{/name}}{{^name}}{{customer.name}}{{/name}} heeft offerte {{quote.number}} voor {{customer.name}} ondertekend: {{quote.gross}}.

Opportuniteit: {{opportunity.name}}'),
	('quote.signed', 'de', 'Unterzeichnet: {{quote.number}} von {{customer.name}}',
'{{#name}}{{name}}{{/name}}{{^name}}{{customer.name}}{{/name}} hat das Angebot {{quote.number}} für {{customer.name}} unterzeichnet: {{quote.gross}}.

Verkaufschance: {{opportunity.name}}'),
	('quote.change_requested', 'en', 'Change asked for: {{quote.number}}, {{customer.name}}',
'{{#name}}{{name}}{{/name}}{{^name}}{{customer.name}}{{/name}} asks for a change of quote {{quote.number}}:

{{note}}

Opportunity: {{opportunity.name}}'),
	('quote.change_requested', 'fr', 'Modification demandée : {{quote.number}}, {{customer.name}}',
'{{#name}}{{name}}{{/name}}{{^name}}{{customer.name}}{{/name}} demande une modification du devis {{quote.number}} :

{{note}}

Opportunité : {{opportunity.name}}'),
	('quote.change_requested', 'nl', 'Wijziging gevraagd: {{quote.number}}, {{customer.name}}',
'{{#name}}{{name}}{{/name}}{{^name}}{{customer.name}}{{/name}} vraagt een wijziging van offerte {{quote.number}}:

{{note}}

Opportuniteit: {{opportunity.name}}'),
	('quote.change_requested', 'de', 'Änderung gewünscht: {{quote.number}}, {{customer.name}}',
'{{#name}}{{name}}{{/name}}{{^name}}{{customer.name}}{{/name}} wünscht eine Änderung des Angebots {{quote.number}}:

{{note}}

Verkaufschance: {{opportunity.name}}'),
	('quote.declined', 'en', 'Declined: {{quote.number}} by {{customer.name}}',
'{{#name}}{{name}}{{/name}}{{^name}}{{customer.name}}{{/name}} has declined quote {{quote.number}}.
{{#reason}}
{{reason}}
{{/reason}}
Opportunity: {{opportunity.name}}'),
	('quote.declined', 'fr', 'Refusé : {{quote.number}} par {{customer.name}}',
'{{#name}}{{name}}{{/name}}{{^name}}{{customer.name}}{{/name}} a refusé le devis {{quote.number}}.
{{#reason}}
{{reason}}
{{/reason}}
Opportunité : {{opportunity.name}}'),
	('quote.declined', 'nl', 'Geweigerd: {{quote.number}} door {{customer.name}}',
'{{#name}}{{name}}{{/name}}{{^name}}{{customer.name}}{{/name}} heeft offerte {{quote.number}} geweigerd.
{{#reason}}
{{reason}}
{{/reason}}
Opportuniteit: {{opportunity.name}}'),
	('quote.declined', 'de', 'Abgelehnt: {{quote.number}} von {{customer.name}}',
'{{#name}}{{name}}{{/name}}{{^name}}{{customer.name}}{{/name}} hat das Angebot {{quote.number}} abgelehnt.
{{#reason}}
{{reason}}
{{/reason}}
Verkaufschance: {{opportunity.name}}'),
	('quote.expired', 'en', 'Expired: {{quote.number}}, {{customer.name}}',
'Quote {{quote.number}} for {{customer.name}} has expired without an answer.

Opportunity: {{opportunity.name}}'),
	('quote.expired', 'fr', 'Expiré : {{quote.number}}, {{customer.name}}',
'Le devis {{quote.number}} pour {{customer.name}} a expiré sans réponse.

Opportunité : {{opportunity.name}}'),
	('quote.expired', 'nl', 'Verlopen: {{quote.number}}, {{customer.name}}',
'Offerte {{quote.number}} voor {{customer.name}} is verlopen zonder antwoord.

Opportuniteit: {{opportunity.name}}'),
	('quote.expired', 'de', 'Abgelaufen: {{quote.number}}, {{customer.name}}',
'Das Angebot {{quote.number}} für {{customer.name}} ist ohne Antwort abgelaufen.

Verkaufschance: {{opportunity.name}}'),
	('task.reminder', 'en', 'Reminder: {{task.subject}}',
'{{task.subject}}
{{#task.due_on}}Due: {{task.due_on}}
{{/task.due_on}}{{#opportunity.name}}Opportunity: {{opportunity.name}}
{{/opportunity.name}}'),
	('task.reminder', 'fr', 'Rappel : {{task.subject}}',
'{{task.subject}}
{{#task.due_on}}Échéance : {{task.due_on}}
{{/task.due_on}}{{#opportunity.name}}Opportunité : {{opportunity.name}}
{{/opportunity.name}}'),
	('task.reminder', 'nl', 'Herinnering: {{task.subject}}',
'{{task.subject}}
{{#task.due_on}}Vervaldatum: {{task.due_on}}
{{/task.due_on}}{{#opportunity.name}}Opportuniteit: {{opportunity.name}}
{{/opportunity.name}}'),
	('task.reminder', 'de', 'Erinnerung: {{task.subject}}',
'{{task.subject}}
{{#task.due_on}}Fällig: {{task.due_on}}
{{/task.due_on}}{{#opportunity.name}}Verkaufschance: {{opportunity.name}}
{{/opportunity.name}}'),
	('appointment.reminder', 'en', 'Soon: {{appointment.subject}}',
'{{appointment.subject}}
{{appointment.starts_at}}
{{#appointment.location}}{{appointment.location}}
{{/appointment.location}}{{#opportunity.name}}Opportunity: {{opportunity.name}}
{{/opportunity.name}}'),
	('appointment.reminder', 'fr', 'Bientôt : {{appointment.subject}}',
'{{appointment.subject}}
{{appointment.starts_at}}
{{#appointment.location}}{{appointment.location}}
{{/appointment.location}}{{#opportunity.name}}Opportunité : {{opportunity.name}}
{{/opportunity.name}}'),
	('appointment.reminder', 'nl', 'Binnenkort: {{appointment.subject}}',
'{{appointment.subject}}
{{appointment.starts_at}}
{{#appointment.location}}{{appointment.location}}
{{/appointment.location}}{{#opportunity.name}}Opportuniteit: {{opportunity.name}}
{{/opportunity.name}}'),
	('appointment.reminder', 'de', 'Demnächst: {{appointment.subject}}',
'{{appointment.subject}}
{{appointment.starts_at}}
{{#appointment.location}}{{appointment.location}}
{{/appointment.location}}{{#opportunity.name}}Verkaufschance: {{opportunity.name}}
{{/opportunity.name}}'),
	('notification', 'en', '{{notification.subject}}',
'{{notification.subject}}
{{#notification.body}}
{{notification.body}}
{{/notification.body}}'),
	('notification', 'fr', '{{notification.subject}}',
'{{notification.subject}}
{{#notification.body}}
{{notification.body}}
{{/notification.body}}'),
	('notification', 'nl', '{{notification.subject}}',
'{{notification.subject}}
{{#notification.body}}
{{notification.body}}
{{/notification.body}}'),
	('notification', 'de', '{{notification.subject}}',
'{{notification.subject}}
{{#notification.body}}
{{notification.body}}
{{/notification.body}}'),
	('webhook.disabled', 'en', 'Webhook {{webhook.name}} was disabled',
'{{webhook.url}} gets no more events: {{webhook.reason}}

Once it works again, set webhook.active and redrive what is in message_dead.'),
	('webhook.disabled', 'fr', 'Le webhook {{webhook.name}} a été désactivé',
'{{webhook.url}} ne reçoit plus d''événements : {{webhook.reason}}

Une fois réparé, activez webhook.active et relancez ce qui est dans message_dead.'),
	('webhook.disabled', 'nl', 'Webhook {{webhook.name}} is uitgeschakeld',
'{{webhook.url}} krijgt geen gebeurtenissen meer: {{webhook.reason}}

Zodra hij weer werkt, zet u webhook.active aan en stuurt u wat in message_dead staat opnieuw.'),
	('webhook.disabled', 'de', 'Webhook {{webhook.name}} wurde abgeschaltet',
'{{webhook.url}} bekommt keine Ereignisse mehr: {{webhook.reason}}

Sobald er wieder geht, schalten Sie webhook.active ein und senden erneut, was in message_dead liegt.')
$$;
COMMENT ON FUNCTION sales_crm.seed_email_templates() IS
	'The templates of e-mails that setup() makes, in each language it knows';
