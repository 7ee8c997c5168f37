/*
 * text.c
 *		What the pages say, in each language.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "text.h"

/* %s stands for a value, in the order that text.h gives */
static const char *const texts[TEXTS][LANGUAGES] = {
	[TEXT_NONE] = {"", "", "", ""},
	[TEXT_QUOTE] = {"Quotation", "Devis", "Offerte", "Angebot"},
	[TEXT_VERSION] = {"version", "version", "versie", "Version"},
	[TEXT_SKIP] = {"Skip to your answer", "Aller à votre réponse", "Ga naar uw antwoord",
				   "Zu Ihrer Antwort springen"},
	[TEXT_LANGUAGE] = {"Language", "Langue", "Taal", "Sprache"},
	[TEXT_TOTAL] = {"Total incl. VAT", "Total TTC", "Totaal incl. btw", "Gesamtbetrag"},
	[TEXT_VALID_UNTIL] = {"Valid until", "Valable jusqu’au", "Geldig tot en met", "Gültig bis"},
	[TEXT_CONTACT] = {"Your contact", "Votre contact", "Uw contactpersoon", "Ihr Ansprechpartner"},
	[TEXT_DOCUMENT] = {"The quotation", "Le devis", "De offerte", "Das Angebot"},
	[TEXT_PDF] = {"Download as PDF", "Télécharger en PDF", "Downloaden als pdf",
				  "Als PDF herunterladen"},
	[TEXT_ANSWER] = {"Your answer", "Votre réponse", "Uw antwoord", "Ihre Antwort"},
	[TEXT_SIGN] = {"Sign", "Signer", "Ondertekenen", "Unterzeichnen"},
	[TEXT_CHANGE] = {"Ask for a change", "Demander une modification", "Wijziging vragen",
					 "Änderung wünschen"},
	[TEXT_DECLINE] = {"Decline", "Refuser", "Afwijzen", "Ablehnen"},
	[TEXT_FULL_SCREEN] = {"Full screen", "Plein écran", "Volledig scherm", "Vollbild"},

	[TEXT_SIGN_TITLE] = {"Sign this quotation", "Signer ce devis", "Deze offerte ondertekenen",
						 "Dieses Angebot unterzeichnen"},
	[TEXT_SIGN_NEXT] =
		{"When you sign, the order is placed and we are told at once.",
		 "Votre signature passe la commande et nous en sommes avertis aussitôt.",
		 "Met uw handtekening plaatst u de bestelling en weten wij het meteen.",
		 "Mit Ihrer Unterschrift erteilen Sie den Auftrag, und wir erfahren es sofort."},
	[TEXT_SIGN_KEEP] = {"You can then download the signed document here.",
						"Vous pourrez ensuite télécharger ici le document signé.",
						"Daarna kunt u hier het ondertekende document downloaden.",
						"Danach können Sie hier das unterzeichnete Dokument herunterladen."},
	[TEXT_NAME] = {"Your full name", "Votre nom complet", "Uw volledige naam",
				   "Ihr vollständiger Name"},
	[TEXT_NAME_HINT] = {"Typing your name is your signature.", "Écrire votre nom vaut signature.",
						"Uw naam typen geldt als handtekening.",
						"Ihr eingegebener Name gilt als Unterschrift."},
	[TEXT_EMAIL] = {"Your e-mail address", "Votre adresse e-mail", "Uw e-mailadres",
					"Ihre E-Mail-Adresse"},
	[TEXT_OPTIONAL] = {"(optional)", "(facultatif)", "(optioneel)", "(freiwillig)"},
	[TEXT_DRAW] = {"Draw your signature", "Dessinez votre signature", "Teken uw handtekening",
				   "Zeichnen Sie Ihre Unterschrift"},
	[TEXT_DRAW_HINT] = {"With your finger, a pen or the mouse.",
						"Avec le doigt, un stylet ou la souris.",
						"Met uw vinger, een pen of de muis.",
						"Mit dem Finger, einem Stift oder der Maus."},
	[TEXT_UNDO] = {"Undo", "Annuler le dernier trait", "Ongedaan maken", "Rückgängig"},
	[TEXT_CLEAR] = {"Clear", "Effacer", "Wissen", "Löschen"},
	[TEXT_CONSENT] =
		{"I have read quotation %s of %s and accept it, for a total of %s.",
		 "J’ai lu le devis %s de %s et je l’accepte, pour un total de %s.",
		 "Ik heb offerte %s van %s gelezen en aanvaard ze, voor een totaal van %s.",
		 "Ich habe das Angebot %s von %s gelesen und nehme es an, zum Gesamtbetrag von %s."},
	[TEXT_SIGN_BUTTON] = {"Sign and order", "Signer et commander", "Ondertekenen en bestellen",
						  "Unterzeichnen und bestellen"},
	[TEXT_CODE] = {"Code from the e-mail", "Code reçu par e-mail", "Code uit de e-mail",
				   "Code aus der E-Mail"},
	[TEXT_CODE_HINT] =
		{"We have sent six digits to your e-mail address. They are valid for ten minutes.",
		 "Nous avons envoyé six chiffres à votre adresse e-mail. Ils sont valables dix minutes.",
		 "We hebben zes cijfers naar uw e-mailadres gestuurd. Ze zijn tien minuten geldig.",
		 "Wir haben sechs Ziffern an Ihre E-Mail-Adresse gesendet. Sie gelten zehn Minuten."},
	[TEXT_CODE_NEEDED] =
		{"To sign this quotation you need a code that we send to your e-mail address.",
		 "Pour signer ce devis, il vous faut un code que nous envoyons à votre adresse e-mail.",
		 "Om deze offerte te ondertekenen hebt u een code nodig die we naar uw e-mailadres sturen.",
		 "Zum Unterzeichnen dieses Angebots brauchen Sie einen Code, den wir an Ihre E-Mail-Adresse senden."},
	[TEXT_CODE_SEND] = {"Send me the code", "Envoyez-moi le code", "Stuur mij de code",
						"Code zusenden"},
	[TEXT_CODE_AGAIN] = {"Send a new code", "Envoyer un nouveau code", "Nieuwe code sturen",
						 "Neuen Code senden"},

	[TEXT_CHANGE_TITLE] = {"Ask for a change", "Demander une modification", "Een wijziging vragen",
						   "Eine Änderung wünschen"},
	[TEXT_CHANGE_NEXT] =
		{"Tell us what should be different. We answer with a new version of the quotation; nothing is ordered.",
		 "Dites-nous ce qui doit changer. Nous vous répondrons par une nouvelle version du devis ; rien n’est commandé.",
		 "Laat ons weten wat anders moet. We antwoorden met een nieuwe versie van de offerte; er wordt niets besteld.",
		 "Sagen Sie uns, was anders sein soll. Wir antworten mit einer neuen Fassung des Angebots; bestellt wird nichts."},
	[TEXT_NOTE] = {"What should change?", "Que faut-il changer ?", "Wat moet er veranderen?",
				   "Was soll sich ändern?"},
	[TEXT_CHANGE_BUTTON] = {"Send the request", "Envoyer la demande", "Vraag versturen",
							"Wunsch senden"},
	[TEXT_DECLINE_TITLE] = {"Decline this quotation", "Refuser ce devis", "Deze offerte afwijzen",
							"Dieses Angebot ablehnen"},
	[TEXT_DECLINE_NEXT] = {"The quotation can then no longer be signed.",
						   "Le devis ne pourra alors plus être signé.",
						   "De offerte kan daarna niet meer worden ondertekend.",
						   "Das Angebot kann danach nicht mehr unterzeichnet werden."},
	[TEXT_REASON] = {"Why do you decline?", "Pourquoi refusez-vous ?", "Waarom wijst u ze af?",
					 "Warum lehnen Sie ab?"},
	[TEXT_CONFIRM] = {"Yes, I decline this quotation.", "Oui, je refuse ce devis.",
					  "Ja, ik wijs deze offerte af.", "Ja, ich lehne dieses Angebot ab."},
	[TEXT_DECLINE_BUTTON] = {"Decline the quotation", "Refuser le devis", "Offerte afwijzen",
							 "Angebot ablehnen"},

	[TEXT_PROBLEMS] = {"Please look at this again:", "Veuillez revoir ceci :",
					   "Kijk dit nog even na:", "Bitte prüfen Sie noch einmal:"},
	[TEXT_NAME_MISSING] = {"Type your full name.", "Écrivez votre nom complet.",
						   "Typ uw volledige naam.", "Geben Sie Ihren vollständigen Namen ein."},
	[TEXT_NAME_LONG] = {"The name is too long: at most 200 characters.",
						"Le nom est trop long : 200 caractères au plus.",
						"De naam is te lang: hoogstens 200 tekens.",
						"Der Name ist zu lang: höchstens 200 Zeichen."},
	[TEXT_EMAIL_MISSING] = {"Type your e-mail address.", "Écrivez votre adresse e-mail.",
							"Typ uw e-mailadres.", "Geben Sie Ihre E-Mail-Adresse ein."},
	[TEXT_EMAIL_WRONG] =
		{"This is no e-mail address: it needs an @, as in name@example.com.",
		 "Ce n’est pas une adresse e-mail : il y faut un @, comme dans nom@exemple.com.",
		 "Dit is geen e-mailadres: er moet een @ in, zoals in naam@voorbeeld.com.",
		 "Das ist keine E-Mail-Adresse: Sie braucht ein @, wie in name@beispiel.de."},
	[TEXT_NOTE_MISSING] = {"Tell us what should change.", "Dites-nous ce qui doit changer.",
						   "Laat ons weten wat er moet veranderen.",
						   "Sagen Sie uns, was sich ändern soll."},
	[TEXT_NOTE_LONG] = {"This is too long: at most 10,000 characters.",
						"C’est trop long : 10 000 caractères au plus.",
						"Dit is te lang: hoogstens 10.000 tekens.",
						"Das ist zu lang: höchstens 10.000 Zeichen."},
	[TEXT_CONSENT_MISSING] = {"Tick the box to accept the quotation.",
							  "Cochez la case pour accepter le devis.",
							  "Vink het vakje aan om de offerte te aanvaarden.",
							  "Setzen Sie das Häkchen, um das Angebot anzunehmen."},
	[TEXT_CONFIRM_MISSING] = {"Tick the box to decline the quotation.",
							  "Cochez la case pour refuser le devis.",
							  "Vink het vakje aan om de offerte af te wijzen.",
							  "Setzen Sie das Häkchen, um das Angebot abzulehnen."},
	[TEXT_SIGNATURE_WRONG] =
		{"The drawing could not be read. Please draw it again.",
		 "Le dessin n’a pas pu être lu. Veuillez recommencer.",
		 "De tekening kon niet worden gelezen. Teken ze opnieuw.",
		 "Die Zeichnung konnte nicht gelesen werden. Bitte zeichnen Sie noch einmal."},
	[TEXT_CODE_WRONG] = {"This is not the code that we sent last.",
						 "Ce n’est pas le dernier code que nous avons envoyé.",
						 "Dit is niet de code die we het laatst stuurden.",
						 "Das ist nicht der Code, den wir zuletzt gesendet haben."},
	[TEXT_CODE_SPENT] = {"The code is no longer valid. Have a new one sent.",
						 "Le code n’est plus valable. Faites-en envoyer un nouveau.",
						 "De code is niet meer geldig. Laat een nieuwe sturen.",
						 "Der Code gilt nicht mehr. Lassen Sie einen neuen senden."},
	[TEXT_QUOTE_CHANGED] =
		{"The quotation has changed since you opened it. Please read it again.",
		 "Le devis a changé depuis que vous l’avez ouvert. Veuillez le relire.",
		 "De offerte is gewijzigd sinds u ze opende. Lees ze opnieuw.",
		 "Das Angebot hat sich geändert, seit Sie es geöffnet haben. Bitte lesen Sie es noch einmal."},

	[TEXT_SIGNED_TITLE] = {"Signed. Thank you!", "Signé. Merci !", "Ondertekend. Dank u wel!",
						   "Unterzeichnet. Vielen Dank!"},
	[TEXT_SIGNED] = {"%s signed on %s.", "%s a signé le %s.", "%s ondertekende op %s.",
					 "%s hat am %s unterzeichnet."},
	[TEXT_SIGNED_NEXT] = {"We have been told and get to work.",
						  "Nous en avons été avertis et nous mettons au travail.",
						  "Wij zijn verwittigd en gaan aan de slag.",
						  "Wir wissen Bescheid und machen uns an die Arbeit."},
	[TEXT_SIGNED_KEEP] = {"Download the signed document", "Télécharger le document signé",
						  "Het ondertekende document downloaden",
						  "Unterzeichnetes Dokument herunterladen"},
	[TEXT_CHANGE_REQUESTED_TITLE] = {"Your request has reached us",
									 "Votre demande nous est parvenue", "Uw vraag is aangekomen",
									 "Ihr Wunsch ist angekommen"},
	[TEXT_CHANGE_REQUESTED] =
		{"We look at it and send you a new version of the quotation.",
		 "Nous l’examinons et vous enverrons une nouvelle version du devis.",
		 "We bekijken ze en sturen u een nieuwe versie van de offerte.",
		 "Wir sehen ihn uns an und senden Ihnen eine neue Fassung des Angebots."},
	[TEXT_DECLINED_TITLE] = {"The quotation was declined", "Le devis a été refusé",
							 "De offerte is afgewezen", "Das Angebot wurde abgelehnt"},
	[TEXT_DECLINED] =
		{"Thank you for telling us. If you change your mind, talk to us.",
		 "Merci de nous l’avoir dit. Si vous changez d’avis, parlez-nous-en.",
		 "Bedankt om het te laten weten. Bedenkt u zich, neem dan contact met ons op.",
		 "Danke, dass Sie uns Bescheid gegeben haben. Wenn Sie es sich anders überlegen, sprechen Sie uns an."},
	[TEXT_EXPIRED_TITLE] = {"This quotation has expired", "Ce devis a expiré",
							"Deze offerte is verlopen", "Dieses Angebot ist abgelaufen"},
	[TEXT_EXPIRED] = {"It was valid until %s.", "Il était valable jusqu’au %s.",
					  "Ze was geldig tot en met %s.", "Es galt bis %s."},
	[TEXT_EXPIRED_NEXT] = {"Ask us for a new one:", "Demandez-nous-en un nouveau :",
						   "Vraag ons een nieuwe:", "Fragen Sie uns nach einem neuen:"},
	[TEXT_SUPERSEDED_TITLE] = {"There is a newer version", "Il existe une version plus récente",
							   "Er is een nieuwere versie", "Es gibt eine neuere Fassung"},
	[TEXT_SUPERSEDED] = {"This version can no longer be signed.",
						 "Cette version ne peut plus être signée.",
						 "Deze versie kan niet meer worden ondertekend.",
						 "Diese Fassung kann nicht mehr unterzeichnet werden."},
	[TEXT_SUPERSEDED_LINK] = {"Open the newer version", "Ouvrir la version plus récente",
							  "De nieuwere versie openen", "Neuere Fassung öffnen"},
	[TEXT_WITHDRAWN_TITLE] = {"This quotation was withdrawn", "Ce devis a été retiré",
							  "Deze offerte is ingetrokken", "Dieses Angebot wurde zurückgezogen"},
	[TEXT_WITHDRAWN] =
		{"It can no longer be signed. If you have questions, talk to us:",
		 "Il ne peut plus être signé. Si vous avez des questions, parlez-nous-en :",
		 "Ze kan niet meer worden ondertekend. Vragen? Neem contact met ons op:",
		 "Es kann nicht mehr unterzeichnet werden. Wenn Sie Fragen haben, sprechen Sie uns an:"},

	[TEXT_UNKNOWN_TITLE] = {"This link leads nowhere", "Ce lien ne mène nulle part",
							"Deze link leidt nergens heen", "Dieser Link führt nirgendwohin"},
	[TEXT_UNKNOWN] =
		{"It may have been mistyped, or it is no longer in use. Ask the person who sent it to you for a new one.",
		 "Il a peut-être été mal copié, ou n’est plus utilisé. Demandez-en un nouveau à la personne qui vous l’a envoyé.",
		 "Misschien is hij verkeerd overgenomen, of niet meer in gebruik. Vraag een nieuwe aan wie hem u stuurde.",
		 "Vielleicht wurde er falsch abgeschrieben, oder er ist nicht mehr in Gebrauch. Bitten Sie den Absender um einen neuen."},
	[TEXT_NOT_FOUND_TITLE] = {"Nothing is here", "Il n’y a rien ici", "Hier is niets",
							  "Hier ist nichts"},
	[TEXT_NOT_FOUND] = {"This address does not exist.", "Cette adresse n’existe pas.",
						"Dit adres bestaat niet.", "Diese Adresse gibt es nicht."},
	[TEXT_BAD_REQUEST_TITLE] = {"That did not work", "Cela n’a pas marché", "Dat is niet gelukt",
								"Das hat nicht geklappt"},
	[TEXT_BAD_REQUEST] =
		{"Your browser sent something that we could not read. Nothing was changed.",
		 "Votre navigateur a envoyé quelque chose d’illisible. Rien n’a été modifié.",
		 "Uw browser stuurde iets wat we niet konden lezen. Er is niets gewijzigd.",
		 "Ihr Browser hat etwas gesendet, das wir nicht lesen konnten. Nichts wurde geändert."},
	[TEXT_FORM_OLD_TITLE] = {"Please send the form again", "Veuillez renvoyer le formulaire",
							 "Verstuur het formulier opnieuw",
							 "Bitte senden Sie das Formular noch einmal"},
	[TEXT_FORM_OLD] =
		{"It had been open for too long, or your browser keeps no cookies. Nothing was changed.",
		 "Il était ouvert depuis trop longtemps, ou votre navigateur ne garde pas de cookies. Rien n’a été modifié.",
		 "Het stond te lang open, of uw browser bewaart geen cookies. Er is niets gewijzigd.",
		 "Es war zu lange geöffnet, oder Ihr Browser behält keine Cookies. Nichts wurde geändert."},
	[TEXT_BACK] = {"Back to the quotation", "Retour au devis", "Terug naar de offerte",
				   "Zurück zum Angebot"},
	[TEXT_TOO_MANY_TITLE] = {"A moment, please", "Un instant, s’il vous plaît",
							 "Een ogenblik geduld", "Einen Moment bitte"},
	[TEXT_TOO_MANY] =
		{"There were many requests in a short time. Please try again in a minute.",
		 "Il y a eu beaucoup de demandes en peu de temps. Veuillez réessayer dans une minute.",
		 "Er kwamen veel aanvragen in korte tijd. Probeer het over een minuut opnieuw.",
		 "Es gab viele Anfragen in kurzer Zeit. Bitte versuchen Sie es in einer Minute noch einmal."},
	[TEXT_UNAVAILABLE_TITLE] = {"We will be back in a moment", "Nous revenons dans un instant",
								"We zijn zo terug", "Wir sind gleich wieder da"},
	[TEXT_UNAVAILABLE] =
		{"The quotation cannot be shown right now. Nothing was lost; please try again in a minute.",
		 "Le devis ne peut pas être affiché pour l’instant. Rien n’est perdu ; veuillez réessayer dans une minute.",
		 "De offerte kan nu niet worden getoond. Er is niets verloren; probeer het over een minuut opnieuw.",
		 "Das Angebot kann gerade nicht angezeigt werden. Nichts ging verloren; bitte versuchen Sie es in einer Minute noch einmal."},
	[TEXT_ERROR_TITLE] = {"Something went wrong here", "Une erreur s’est produite",
						  "Er ging hier iets mis", "Hier ist etwas schiefgegangen"},
	[TEXT_ERROR] =
		{"It is our mistake, and it has been noted. Please try again later.",
		 "L’erreur vient de nous et a été notée. Veuillez réessayer plus tard.",
		 "De fout ligt bij ons en is genoteerd. Probeer het later opnieuw.",
		 "Der Fehler liegt bei uns und wurde vermerkt. Bitte versuchen Sie es später noch einmal."},
	[TEXT_PDF_WAIT_TITLE] = {"The PDF is being made", "Le PDF est en préparation",
							 "De pdf wordt gemaakt", "Die PDF-Datei wird erstellt"},
	[TEXT_PDF_WAIT] = {"It takes a few seconds. This page loads it by itself.",
					   "Cela prend quelques secondes. Cette page le chargera d’elle-même.",
					   "Het duurt enkele seconden. Deze pagina laadt hem vanzelf.",
					   "Das dauert einige Sekunden. Diese Seite lädt sie von selbst."},
	[TEXT_HANDED_BACK_TITLE] = {"Thank you", "Merci", "Dank u wel", "Vielen Dank"},
	[TEXT_HANDED_BACK] = {"Your answer has been recorded. You can hand the device back.",
						  "Votre réponse a été enregistrée. Vous pouvez rendre l’appareil.",
						  "Uw antwoord is vastgelegd. U kunt het toestel teruggeven.",
						  "Ihre Antwort wurde festgehalten. Sie können das Gerät zurückgeben."},
};

static const struct
{
	const char *code;
	const char *name;
	const char *after_day;
	const char *months[12];
} languages[LANGUAGES] = {
	[LANGUAGE_EN] = {"en",
					 "English",
					 "",
					 {"January", "February", "March", "April", "May", "June", "July", "August",
					  "September", "October", "November", "December"}},
	[LANGUAGE_FR] = {"fr",
					 "Français",
					 "",
					 {"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août",
					  "septembre", "octobre", "novembre", "décembre"}},
	[LANGUAGE_NL] = {"nl",
					 "Nederlands",
					 "",
					 {"januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus",
					  "september", "oktober", "november", "december"}},
	[LANGUAGE_DE] = {"de",
					 "Deutsch",
					 ".",
					 {"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August",
					  "September", "Oktober", "November", "Dezember"}},
};

const char *
text_of(Language language, Text text)
{
	return texts[text][language];
}

Language
text_language(const char *locale)
{
	for (int i = 0; locale != NULL && i < LANGUAGES; i++)
	{
		if (strncasecmp(locale, languages[i].code, 2) == 0)
			return (Language) i;
	}
	return LANGUAGE_EN;
}

const char *
text_language_code(Language language)
{
	return languages[language].code;
}

const char *
text_language_name(Language language)
{
	return languages[language].name;
}

void
text_date(Buffer *out, Language language, const char *date)
{
	unsigned year;
	unsigned month;
	unsigned day;

	if (date == NULL)
		return;
	if (sscanf(date, "%4u-%2u-%2u", &year, &month, &day) != 3 || month < 1 || month > 12)
	{
		buffer_html(out, date);
		return;
	}
	buffer_format(out, "%u%s%s %s %u", day, language == LANGUAGE_FR && day == 1 ? "er" : "",
				  languages[language].after_day, languages[language].months[month - 1], year);
	if (strlen(date) > 10)
		buffer_format(out, ", %s", date + 11);
}
