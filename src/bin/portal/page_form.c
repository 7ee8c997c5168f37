/*
 * page_form.c
 *		The forms of a page: signing, asking for a change, declining; what was typed is kept, and what
 *		is wrong stands beside each field.
 */
#include <string.h>

#include "page_form.h"

static void write_sign(Buffer *out, const PageData *data);
static void write_drawing(Buffer *out, const PageData *data);
static void write_change(Buffer *out, const PageData *data);
static void write_decline(Buffer *out, const PageData *data);
static void open_form(Buffer *out, const PageData *data, PageForm form, Text title, Text next);
static void write_problems(Buffer *out, const PageData *data, PageForm form);
static void
write_problem_link(Buffer *out, const PageData *data, const char *id, const PageField *field);
static void write_input(Buffer *out, const PageData *data, const char *id, const char *attributes,
						Text label, Text hint, const PageField *field);
static void write_area(Buffer *out, const PageData *data, const char *id, Text label, bool optional,
					   const PageField *field);
static void write_email(Buffer *out, const PageData *data, const char *id, const PageField *field);
static PageField of_form(const PageData *data, PageForm form, const PageField *field);
static void write_check(Buffer *out, const PageData *data, const char *id, const char *label,
						const PageField *field);
static void write_described(Buffer *out, const char *id, bool hint, const PageField *field);
static void
write_field_problem(Buffer *out, const PageData *data, const char *id, const PageField *field);

/* Names of the forms: what stands in their addresses, and their ids */
static const char *const form_names[] = {"", "sign", "change", "decline"};

void
page_write_forms(Buffer *out, const PageData *data)
{
	write_sign(out, data);
	write_change(out, data);
	write_decline(out, data);
}

void
page_write_hidden(Buffer *out, const char *name, const char *value)
{
	buffer_format(out, "<input type=\"hidden\" name=\"%s\" value=\"%s\">\n", name, value);
}

void
page_write_query(Buffer *out, const PageData *data)
{
	buffer_format(out, "?lang=%s%s", text_language_code(data->frame.language),
				  data->direct ? "&direct" : "");
}

static void
write_sign(Buffer *out, const PageData *data)
{
	PageField name = of_form(data, PAGE_SIGN, &data->name);
	PageField email = of_form(data, PAGE_SIGN, &data->email);
	PageField consent = of_form(data, PAGE_SIGN, &data->consent);
	PageField code = of_form(data, PAGE_SIGN, &data->code);
	Buffer agreement = {0};

	open_form(out, data, PAGE_SIGN, TEXT_SIGN_TITLE, TEXT_SIGN_NEXT);
	write_input(out, data, "sign-name", "name=\"name\" autocomplete=\"name\" maxlength=\"200\"",
				TEXT_NAME, TEXT_NAME_HINT, &name);
	write_email(out, data, "sign-email", &email);
	write_drawing(out, data);
	page_consent(&agreement, data);
	write_check(out, data, "sign-consent", agreement.data, &consent);
	buffer_free(&agreement);
	if (data->needs_code && !data->code_sent)
		buffer_format(out, "<p>%s</p>\n", page_say(data, TEXT_CODE_NEEDED));
	if (data->needs_code && data->code_sent)
		write_input(out, data, "sign-code",
					"name=\"code\" inputmode=\"numeric\" autocomplete=\"one-time-code\" "
					"maxlength=\"10\"",
					TEXT_CODE, TEXT_CODE_HINT, &code);
	/* The first button is the one that the Enter key presses */
	buffer_text(out, "<p class=\"buttons\">");
	if (!data->needs_code || data->code_sent)
		buffer_format(out, "<button class=\"button primary\" type=\"submit\">%s</button>\n",
					  page_say(data, TEXT_SIGN_BUTTON));
	if (data->needs_code)
	{
		buffer_format(out, "<button class=\"button%s\" type=\"submit\" formaction=\"%s/code",
					  data->code_sent ? "" : " primary", data->path);
		page_write_query(out, data);
		buffer_format(out, "\">%s</button>\n",
					  page_say(data, data->code_sent ? TEXT_CODE_AGAIN : TEXT_CODE_SEND));
	}
	buffer_text(out, "</p>\n</form>\n");
}

/* write_drawing: hidden until page.js can draw. */
static void
write_drawing(Buffer *out, const PageData *data)
{
	PageField signature = of_form(data, PAGE_SIGN, &data->signature);

	buffer_format(
		out,
		"<div class=\"field drawing\" hidden>\n"
		"<p class=\"label\" id=\"drawing-label\">%s <span class=\"optional\">%s</span></p>\n"
		"<p class=\"hint\">%s</p>\n"
		"<canvas id=\"sign-drawing\" role=\"img\" tabindex=\"-1\" aria-labelledby=\"drawing-label\"></canvas>\n"
		"<p class=\"tools\"><button type=\"button\" class=\"undo\">%s</button> "
		"<button type=\"button\" class=\"clear\">%s</button></p>\n",
		page_say(data, TEXT_DRAW), page_say(data, TEXT_OPTIONAL), page_say(data, TEXT_DRAW_HINT),
		page_say(data, TEXT_UNDO), page_say(data, TEXT_CLEAR));
	write_field_problem(out, data, "sign-drawing", &signature);
	page_write_hidden(out, "signature", signature.value);
	buffer_text(out, "</div>\n");
}

static void
write_change(Buffer *out, const PageData *data)
{
	PageField note = of_form(data, PAGE_CHANGE, &data->note);
	PageField name = of_form(data, PAGE_CHANGE, &data->name);
	PageField email = of_form(data, PAGE_CHANGE, &data->email);

	open_form(out, data, PAGE_CHANGE, TEXT_CHANGE_TITLE, TEXT_CHANGE_NEXT);
	write_area(out, data, "change-note", TEXT_NOTE, false, &note);
	write_input(out, data, "change-name", "name=\"name\" autocomplete=\"name\" maxlength=\"200\"",
				TEXT_NAME, TEXT_NONE, &name);
	write_email(out, data, "change-email", &email);
	buffer_format(out,
				  "<p><button class=\"button primary\" type=\"submit\">%s</button></p>\n</form>\n",
				  page_say(data, TEXT_CHANGE_BUTTON));
}

static void
write_decline(Buffer *out, const PageData *data)
{
	PageField reason = of_form(data, PAGE_DECLINE, &data->reason);
	PageField confirm = of_form(data, PAGE_DECLINE, &data->confirm);

	open_form(out, data, PAGE_DECLINE, TEXT_DECLINE_TITLE, TEXT_DECLINE_NEXT);
	write_area(out, data, "decline-reason", TEXT_REASON, true, &reason);
	write_check(out, data, "decline-confirm", page_say(data, TEXT_CONFIRM), &confirm);
	buffer_format(out,
				  "<p><button class=\"button danger\" type=\"submit\">%s</button></p>\n</form>\n",
				  page_say(data, TEXT_DECLINE_BUTTON));
}

/* open_form: its title, what happens next, and what was wrong with it. */
static void
open_form(Buffer *out, const PageData *data, PageForm form, Text title, Text next)
{
	const char *name = form_names[form];

	buffer_format(out, "<form id=\"%s\" class=\"card%s\" method=\"post\" action=\"%s/%s", name,
				  data->form == form ? " shown" : "", data->path, name);
	page_write_query(out, data);
	buffer_format(out,
				  "\" novalidate aria-labelledby=\"%s-title\">\n<h2 id=\"%s-title\">%s</h2>\n"
				  "<p>%s",
				  name, name, page_say(data, title), page_say(data, next));
	if (form == PAGE_SIGN && data->has_pdf && !data->direct)
		buffer_format(out, " %s", page_say(data, TEXT_SIGN_KEEP));
	buffer_text(out, "</p>\n");
	if (data->form == form)
		write_problems(out, data, form);
	page_write_hidden(out, "csrf", data->csrf);
	page_write_hidden(out, "request_key", data->request_key);
	page_write_hidden(out, "snapshot", data->snapshot);
}

/* write_problems: what was wrong, all together, with links to the fields. */
static void
write_problems(Buffer *out, const PageData *data, PageForm form)
{
	Buffer list = {0};

	if (data->alert != TEXT_NONE)
		buffer_format(&list, "<li>%s</li>\n", page_say(data, data->alert));
	switch (form)
	{
		case PAGE_NO_FORM:
			break;
		case PAGE_SIGN:
			write_problem_link(&list, data, "sign-name", &data->name);
			write_problem_link(&list, data, "sign-email", &data->email);
			write_problem_link(&list, data, "sign-drawing", &data->signature);
			write_problem_link(&list, data, "sign-consent", &data->consent);
			write_problem_link(&list, data, "sign-code", &data->code);
			break;
		case PAGE_CHANGE:
			write_problem_link(&list, data, "change-note", &data->note);
			write_problem_link(&list, data, "change-name", &data->name);
			write_problem_link(&list, data, "change-email", &data->email);
			break;
		case PAGE_DECLINE:
			write_problem_link(&list, data, "decline-reason", &data->reason);
			write_problem_link(&list, data, "decline-confirm", &data->confirm);
			break;
	}
	if (list.length > 0)
	{
		buffer_format(out,
					  "<div class=\"problems\" role=\"alert\" tabindex=\"-1\">\n<p>%s</p>\n<ul>\n",
					  page_say(data, TEXT_PROBLEMS));
		buffer_bytes(out, list.data, list.length);
		buffer_text(out, "</ul>\n</div>\n");
	}
	buffer_free(&list);
}

static void
write_problem_link(Buffer *out, const PageData *data, const char *id, const PageField *field)
{
	if (field->problem != TEXT_NONE)
		buffer_format(out, "<li><a href=\"#%s\">%s</a></li>\n", id, page_say(data, field->problem));
}

/* of_form: a field as it was sent, for the form that it was sent with. */
static PageField
of_form(const PageData *data, PageForm form, const PageField *field)
{
	return data->form == form ? *field : (PageField){NULL, TEXT_NONE};
}

static void
write_email(Buffer *out, const PageData *data, const char *id, const PageField *field)
{
	PageField known = *field;

	if (known.value == NULL)
		known.value = data->recipient_email;
	write_input(out, data, id,
				"name=\"email\" type=\"email\" autocomplete=\"email\" maxlength=\"320\"",
				TEXT_EMAIL, TEXT_NONE, &known);
}

/* write_input: attributes are our own markup. */
static void
write_input(Buffer *out, const PageData *data, const char *id, const char *attributes, Text label,
			Text hint, const PageField *field)
{
	buffer_format(out, "<div class=\"field%s\">\n<label for=\"%s\">%s</label>\n",
				  field->problem != TEXT_NONE ? " wrong" : "", id, page_say(data, label));
	if (hint != TEXT_NONE)
		buffer_format(out, "<p class=\"hint\" id=\"%s-hint\">%s</p>\n", id, page_say(data, hint));
	write_field_problem(out, data, id, field);
	buffer_format(out, "<input id=\"%s\" required ", id);
	buffer_text(out, attributes);
	write_described(out, id, hint != TEXT_NONE, field);
	buffer_format(out, " value=\"%s\">\n</div>\n", field->value);
}

static void
write_area(Buffer *out, const PageData *data, const char *id, Text label, bool optional,
		   const PageField *field)
{
	const char *name = strchr(id, '-') + 1;

	buffer_format(out, "<div class=\"field%s\">\n<label for=\"%s\">%s",
				  field->problem != TEXT_NONE ? " wrong" : "", id, page_say(data, label));
	if (optional)
		buffer_format(out, " <span class=\"optional\">%s</span>", page_say(data, TEXT_OPTIONAL));
	buffer_text(out, "</label>\n");
	write_field_problem(out, data, id, field);
	buffer_format(out, "<textarea id=\"%s\" name=\"%s\" rows=\"4\" maxlength=\"10000\"%s", id, name,
				  optional ? "" : " required");
	write_described(out, id, false, field);
	/* HTML drops a line break right after the tag */
	buffer_format(out, ">\n%s</textarea>\n</div>\n", field->value);
}

static void
write_check(Buffer *out, const PageData *data, const char *id, const char *label,
			const PageField *field)
{
	const char *name = strchr(id, '-') + 1;

	buffer_format(out, "<div class=\"field check%s\">\n",
				  field->problem != TEXT_NONE ? " wrong" : "");
	write_field_problem(out, data, id, field);
	buffer_format(out, "<p><input id=\"%s\" name=\"%s\" type=\"checkbox\" value=\"yes\" required%s",
				  id, name, field->value != NULL && *field->value != '\0' ? " checked" : "");
	write_described(out, id, false, field);
	buffer_format(out, "> <label for=\"%s\">%s</label></p>\n</div>\n", id, label);
}

/* write_described ties an input to its hint and its problem. */
static void
write_described(Buffer *out, const char *id, bool hint, const PageField *field)
{
	bool wrong = field->problem != TEXT_NONE;

	if (wrong)
		buffer_text(out, " aria-invalid=\"true\"");
	if (!hint && !wrong)
		return;
	buffer_text(out, " aria-describedby=\"");
	if (hint)
		buffer_format(out, "%s-hint", id);
	if (hint && wrong)
		buffer_text(out, " ");
	if (wrong)
		buffer_format(out, "%s-problem", id);
	buffer_text(out, "\"");
}

static void
write_field_problem(Buffer *out, const PageData *data, const char *id, const PageField *field)
{
	if (field->problem != TEXT_NONE)
		buffer_format(out, "<p class=\"problem\" id=\"%s-problem\">%s</p>\n", id,
					  page_say(data, field->problem));
}
