-- The document that quotes have until a company writes its own: for screens of any width, and for A4.

CREATE FUNCTION sales_crm.default_quote_body()
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $body$
SELECT $html$<!DOCTYPE html>
<html lang="{{language}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{words.quote}} {{number}}{{#title}} – {{title}}{{/title}}</title>
<style>
* { box-sizing: border-box; }
html { font-size: 16px; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: #fff; color: #1d2530; font-family: "Inter", "Helvetica Neue", "TeX Gyre Heros", "Nimbus Sans", "Liberation Sans", Helvetica, Arial, sans-serif; font-size: 0.875rem; line-height: 1.5; overflow-wrap: break-word; }
main { max-width: 50rem; margin: 0 auto; padding: 2.5rem 2rem; }
p, h1, h2, dl, dt, dd, table { margin: 0; }
.lines-kept { white-space: pre-line; }
.muted, .company, .label { color: #5b6673; }
.sides { display: table; width: 100%; }
.side { display: table-cell; vertical-align: top; }
.masthead { padding-bottom: 1.25rem; border-bottom: 3px solid {{company.brand_color}}; }
.masthead img { display: block; max-width: 15rem; max-height: 4.5rem; }
.wordmark { color: {{company.readable_color}}; font-size: 1.625rem; font-weight: 700; line-height: 1.2; }
.company { padding-left: 2rem; font-size: 0.8125rem; text-align: right; }
.company strong { color: #1d2530; }
.opening { margin: 2rem 0; }
.label { font-size: 0.75rem; }
.customer .name { font-size: 1.0625rem; font-weight: 700; }
.facts { width: 21rem; padding: 0.75rem 1rem; border-radius: 6px; background: #f4f6f8; font-size: 0.8125rem; }
.facts table { border-collapse: collapse; }
.facts th { padding: 0.1rem 1.25rem 0.1rem 0; color: #5b6673; font-weight: 400; text-align: left; vertical-align: top; white-space: nowrap; }
.facts td { padding: 0.1rem 0; font-weight: 700; overflow-wrap: anywhere; }
.facts .contact { font-weight: 400; }
h1 { font-size: 1.75rem; font-weight: 700; line-height: 1.2; letter-spacing: -0.01em; }
h1 .number { display: inline-block; }
h1 .kind { color: {{company.readable_color}}; }
h1 .draft { display: inline-block; margin-left: 0.5rem; padding: 0.2rem 0.6rem; border: 1.5px solid #b42318; border-radius: 4px; color: #b42318; font-size: 0.8125rem; letter-spacing: 0; vertical-align: middle; }
.title { margin-top: 0.25rem; color: #5b6673; font-size: 1.0625rem; }
.introduction { max-width: 42rem; margin-top: 1.25rem; }
.lines { width: 100%; margin-top: 1.75rem; border-collapse: collapse; font-variant-numeric: tabular-nums; }
.lines th { padding: 0.5rem; border-bottom: 2px solid {{company.brand_color}}; color: #5b6673; font-size: 0.75rem; font-weight: 700; text-align: left; vertical-align: bottom; }
.lines td { padding: 0.6rem 0.5rem; border-bottom: 1px solid #dde2e8; vertical-align: top; }
.lines th:first-child, .lines td:first-child { padding-left: 0; }
.lines th:last-child, .lines td:last-child { padding-right: 0; }
.lines .figure { text-align: right; white-space: nowrap; }
.lines .position { width: 2.25rem; color: #5b6673; white-space: nowrap; }
.lines .name { font-weight: 700; }
.lines .more { color: #5b6673; font-size: 0.8125rem; }
.lines .per { display: block; color: #5b6673; font-size: 0.75rem; }
.lines .heading td { padding-top: 1.25rem; border-bottom-color: #8a94a0; font-size: 1rem; font-weight: 700; }
.lines .heading .more { font-weight: 400; }
.lines .remark td, .lines .option .amount { color: #5b6673; }
.tag { display: inline-block; margin-left: 0.25rem; padding: 0 0.4rem; border: 1px solid #dde2e8; border-radius: 3px; background: #f4f6f8; color: #5b6673; font-size: 0.6875rem; font-weight: 700; }
.closing { margin-top: 1rem; }
.notes { padding-right: 2rem; color: #5b6673; font-size: 0.8125rem; }
.sums { width: 22rem; }
.totals { width: 100%; border-collapse: separate; border-spacing: 0; font-variant-numeric: tabular-nums; }
.totals th { padding: 0.25rem 1rem 0.25rem 0.75rem; color: #5b6673; font-weight: 400; text-align: left; }
.totals td { padding: 0.25rem 0.75rem 0.25rem 0; text-align: right; white-space: nowrap; }
.totals .net th { color: #1d2530; }
.totals .after-discount th, .totals .after-discount td { border-top: 1px solid #dde2e8; }
.totals .gross th { padding: 0.625rem 0.75rem; border-radius: 6px; background: {{company.readable_color}}; color: #fff; font-size: 1.0625rem; font-weight: 700; text-align: right; white-space: nowrap; }
.totals .gross .total { float: left; padding-right: 1rem; }
.totals .space td { padding: 0.2rem; }
.terms { margin-top: 2.25rem; padding-top: 1rem; border-top: 1px solid #dde2e8; }
.terms h2 { margin-bottom: 0.375rem; font-size: 0.875rem; font-weight: 700; }
.terms p { color: #5b6673; font-size: 0.8125rem; }
.acceptance { display: none; }
.footing { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@media screen and (max-width: 40rem) {
	main { padding: 1.25rem 1rem 1.5rem; }
	.sides, .side { display: block; width: auto; }
	.company { margin-top: 1rem; padding-left: 0; text-align: left; }
	.opening { margin: 1.5rem 0; }
	.facts { margin-top: 1.25rem; }
	h1 { font-size: 1.5rem; }
	.lines thead { display: none; }
	.lines, .lines tbody { display: block; }
	.lines tr { display: flex; flex-wrap: wrap; padding: 0.75rem 0; border-bottom: 1px solid #dde2e8; }
	.lines td { display: block; padding: 0; border: 0; }
	.lines .position { width: 1.75rem; }
	.lines .description { flex: 1 1 0; min-width: calc(100% - 1.75rem); max-width: calc(100% - 1.75rem); }
	.lines td.figure { margin-top: 0.375rem; color: #5b6673; font-size: 0.8125rem; }
	.lines td.quantity { padding-left: 1.75rem; }
	.lines td.price::before { content: "\00d7\00a0"; padding-left: 0.375rem; }
	.lines td.reduced::before { content: "\2212\00a0"; padding-left: 0.375rem; }
	.lines .per { display: inline; font-size: inherit; }
	.lines td.amount { margin-left: auto; padding-left: 1rem; color: #1d2530; font-size: 0.875rem; font-weight: 700; }
	.lines .option td.amount { font-weight: 400; }
	.lines .heading { padding-top: 1.25rem; }
	.lines .heading td { padding-top: 0; }
	.notes { margin-bottom: 1rem; padding-right: 0; }
	.totals th { padding-left: 0.5rem; }
	.totals .gross th { padding: 0.625rem 0.5rem; white-space: normal; }
	.totals td { padding-right: 0.5rem; }
}
@page {
	size: A4;
	margin: 15mm 17mm 20mm;
	@bottom-left { content: string(document); color: #5b6673; font: 8pt "Inter", "Helvetica Neue", "TeX Gyre Heros", "Nimbus Sans", "Liberation Sans", Helvetica, Arial, sans-serif; }
	@bottom-right { content: "{{words.page}} " counter(page) " / " counter(pages); color: #5b6673; font: 8pt "Inter", "Helvetica Neue", "TeX Gyre Heros", "Nimbus Sans", "Liberation Sans", Helvetica, Arial, sans-serif; }
}
@media print {
	html { font-size: 10pt; }
	body { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
	main { max-width: none; padding: 0; }
	.footing { string-set: document content(); }
	.lines thead { display: table-header-group; }
	.lines td { padding-top: 0.4rem; padding-bottom: 0.4rem; }
	.opening { margin: 1.5rem 0; }
	.lines { margin-top: 1.25rem; }
	.lines .heading td { padding-top: 0.9rem; }
	.lines tr, .closing, .acceptance { break-inside: avoid; }
	.closing { break-before: avoid; }
	.lines .heading, .terms h2 { break-after: avoid; }
	p { orphans: 3; widows: 3; }
	.acceptance { display: block; margin-top: 2.25rem; }
	.acceptance p { font-weight: 700; }
	.acceptance table { width: 100%; margin-top: 3rem; border-collapse: collapse; }
	.acceptance td { width: 30%; padding-top: 0.25rem; border-top: 1px solid #8a94a0; color: #5b6673; font-size: 0.75rem; }
	.acceptance .gap { width: 5%; border-top: 0; }
}
</style>
</head>
<body>
<main>
<div class="footing" aria-hidden="true">{{company.name}} · {{words.quote}} {{number}}{{#version}} · {{words.version}} {{version}}{{/version}}</div>
<header class="masthead sides">
	<div class="side">
		{{#company.logo}}<img src="{{company.logo}}" alt="{{company.name}}">{{/company.logo}}
		{{^company.logo}}<p class="wordmark">{{company.name}}</p>{{/company.logo}}
	</div>
	<div class="company side">
		{{#company.logo}}<strong>{{company.name}}</strong>{{/company.logo}}
		{{#company.address}}<p class="lines-kept">{{company.address}}</p>{{/company.address}}
		{{#company.vat_number}}<p>{{words.vat_number}} {{company.vat_number}}</p>{{/company.vat_number}}
		{{#company.email}}<p>{{company.email}}</p>{{/company.email}}
	</div>
</header>

<section class="opening sides">
	<div class="customer side">
		<p class="label">{{words.customer}}</p>
		<p class="name">{{customer.name}}</p>
		{{#customer.contact}}<p>{{customer.contact}}</p>{{/customer.contact}}
		{{#customer.address}}<p class="lines-kept">{{customer.address}}</p>{{/customer.address}}
		{{#customer.vat_number}}<p class="muted">{{words.vat_number}} {{customer.vat_number}}</p>{{/customer.vat_number}}
	</div>
	<div class="facts side">
		<table>
		<tr><th scope="row">{{words.number}}</th><td>{{number}}</td></tr>
		{{#version}}<tr><th scope="row">{{words.version}}</th><td>{{version}}</td></tr>{{/version}}
		{{#sent_on}}<tr><th scope="row">{{words.date}}</th><td>{{sent_on}}</td></tr>{{/sent_on}}
		{{#valid_until}}<tr><th scope="row">{{words.valid_until}}</th><td>{{valid_until}}</td></tr>{{/valid_until}}
		{{#seller.name}}<tr><th scope="row">{{words.contact}}</th><td>{{seller.name}}{{#seller.email}}<br><span class="contact">{{seller.email}}</span>{{/seller.email}}{{#seller.phone}}<br><span class="contact">{{seller.phone}}</span>{{/seller.phone}}</td></tr>{{/seller.name}}
		</table>
	</div>
</section>

<h1><span class="kind">{{words.quote}}</span> <span class="number">{{number}}</span>{{#draft}}<span class="draft">{{words.draft}}</span>{{/draft}}</h1>
{{#title}}<p class="title">{{title}}</p>{{/title}}
{{#introduction}}<p class="introduction lines-kept">{{introduction}}</p>{{/introduction}}

<table class="lines">
<thead>
<tr>
	<th class="position" scope="col">{{words.position}}</th>
	<th scope="col">{{words.description}}</th>
	<th class="figure" scope="col">{{words.quantity}}</th>
	<th class="figure" scope="col">{{words.unit_price}}</th>
	{{#has_discounts}}<th class="figure" scope="col">{{words.discount}}</th>{{/has_discounts}}
	<th class="figure" scope="col">{{words.amount}}</th>
</tr>
</thead>
<tbody>
{{#lines}}
{{#heading}}
<tr class="heading"><td colspan="{{#has_discounts}}6{{/has_discounts}}{{^has_discounts}}5{{/has_discounts}}">{{name}}{{#description}}<p class="more lines-kept">{{description}}</p>{{/description}}{{#extra_description}}<p class="more lines-kept">{{extra_description}}</p>{{/extra_description}}</td></tr>
{{/heading}}
{{#text}}
<tr class="remark"><td class="position"></td><td class="description lines-kept" colspan="{{#has_discounts}}5{{/has_discounts}}{{^has_discounts}}4{{/has_discounts}}">{{name}}{{#description}}<p class="more">{{description}}</p>{{/description}}{{#extra_description}}<p class="more">{{extra_description}}</p>{{/extra_description}}</td></tr>
{{/text}}
{{#item}}
<tr{{#optional}} class="option"{{/optional}}>
	<td class="position">{{number}}</td>
	<td class="description"><span class="name">{{name}}</span>{{#optional}} <span class="tag">{{words.optional}}</span>{{/optional}}{{#description}}<p class="more lines-kept">{{description}}</p>{{/description}}{{#extra_description}}<p class="more lines-kept">{{extra_description}}</p>{{/extra_description}}</td>
	<td class="figure quantity">{{quantity}}</td>
	<td class="figure price">{{unit_price}}{{#unit}} <span class="per">{{words.per}} {{unit}}</span>{{/unit}}</td>
	{{#has_discounts}}<td class="figure{{#discount}} reduced{{/discount}}">{{discount}}</td>{{/has_discounts}}
	<td class="figure amount">{{#optional}}({{amount}}){{/optional}}{{^optional}}{{amount}}{{/optional}}</td>
</tr>
{{/item}}
{{/lines}}
</tbody>
</table>

<section class="closing sides">
	<div class="notes side">
		{{#has_options}}<p>{{words.optional_note}}</p>{{/has_options}}
		{{#prices_include_tax}}<p>{{words.prices_include_tax}}</p>{{/prices_include_tax}}
		{{#taxes}}{{#note}}<p>{{note}}</p>{{/note}}{{/taxes}}
	</div>
	<div class="sums side">
		<table class="totals">
		{{#discount}}
		<tr><th scope="row">{{words.subtotal}}</th><td>{{before}}</td></tr>
		<tr><th scope="row">{{words.discount}}{{#percent}} {{percent}}{{/percent}}</th><td>{{amount}}</td></tr>
		{{/discount}}
		{{^prices_include_tax}}
		<tr class="net{{#discount}} after-discount{{/discount}}"><th scope="row">{{words.total_net}}</th><td>{{net}}</td></tr>
		{{#taxes}}
		<tr><th scope="row">{{words.vat}} {{percent}} {{words.on}} {{base}}</th><td>{{vat}}</td></tr>
		{{/taxes}}
		{{/prices_include_tax}}
		<tr class="space"><td colspan="2"></td></tr>
		<tr class="gross"><th scope="row" colspan="2"><span class="total">{{words.total}}</span> {{gross}}</th></tr>
		{{#prices_include_tax}}
		<tr class="space"><td colspan="2"></td></tr>
		{{#taxes}}
		<tr><th scope="row">{{words.of_which}} {{percent}} {{words.on}} {{base}}</th><td>{{vat}}</td></tr>
		{{/taxes}}
		{{/prices_include_tax}}
		</table>
	</div>
</section>

{{#terms}}
<section class="terms">
	<h2>{{words.terms}}</h2>
	<p class="lines-kept">{{terms}}</p>
</section>
{{/terms}}

<section class="acceptance" aria-hidden="true">
	<p>{{words.acceptance}}</p>
	<table><tr><td>{{words.name}}</td><td class="gap"></td><td>{{words.date}}</td><td class="gap"></td><td>{{words.signature}}</td></tr></table>
</section>
</main>
</body>
</html>
$html$
$body$;
COMMENT ON FUNCTION sales_crm.default_quote_body() IS
	'The Mustache body of the templates that setup() seeds: one for all languages, with the company''s logo and colour';
