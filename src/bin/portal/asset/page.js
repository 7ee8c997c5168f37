/* What the customer's page can do beyond HTML: the frame as high as the quote, a drawn signature,
   one answer per form, and word that a person looked. The page works without all of it. */
"use strict";
(() => {
	const find = (selector, within = document) => within.querySelector(selector);

	/* The frame shows the whole quote, so that one scrolls the page and nothing else */
	const frame = find(".document iframe");
	const fit = () => {
		const inside = frame.contentDocument;
		if (!inside || !inside.body) return;
		frame.style.height = "auto";
		frame.style.height = Math.ceil(inside.documentElement.getBoundingClientRect().height) + 2 + "px";
	};
	if (frame) {
		frame.addEventListener("load", fit);
		new ResizeObserver(() => requestAnimationFrame(fit)).observe(frame.parentElement);
		if (frame.contentDocument && frame.contentDocument.readyState === "complete") fit();
	}

	/* Printing prints the quote, not the page around it */
	document.addEventListener("keydown", (event) => {
		if ((event.ctrlKey || event.metaKey) && event.key === "p" && frame) {
			event.preventDefault();
			frame.contentWindow.print();
		}
	});

	/* A person did something: programs that only load the page do not */
	const csrf = find("input[name=csrf]");
	const signs = ["pointermove", "pointerdown", "keydown", "scroll", "touchstart"];
	const seen = (event) => {
		if (!event.isTrusted || document.visibilityState !== "visible") return;
		signs.forEach((sign) => removeEventListener(sign, seen));
		fetch(location.pathname.replace(/^(\/q\/[^/]+).*/, "$1/viewed"), {
			method: "POST", body: new URLSearchParams({ csrf: csrf.value }), keepalive: true,
		}).catch(() => {});
	};
	if (csrf) signs.forEach((sign) => addEventListener(sign, seen, { passive: true }));

	/* What was wrong is read out, and where it is */
	const problems = find(".problems");
	if (problems) problems.focus();

	/* A form that opens is where one goes on */
	const opened = () => {
		const form = /^#(sign|change|decline)$/.test(location.hash) && find(location.hash);
		if (!form) return;
		const field = find("input:not([type=hidden]), textarea", form);
		if (field) field.focus({ preventScroll: true });
	};
	addEventListener("hashchange", opened);

	/* One answer per form, however often it is clicked; the server would give the same one again */
	document.querySelectorAll("form").forEach((form) => {
		form.addEventListener("submit", (event) => {
			if (form.dataset.sent) {
				event.preventDefault();
				return;
			}
			form.dataset.sent = "yes";
			setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }), 0);
		});
	});
	addEventListener("pageshow", () => {
		document.querySelectorAll("form").forEach((form) => {
			delete form.dataset.sent;
			form.querySelectorAll("button").forEach((button) => { button.disabled = false; });
		});
	});

	const screen = find(".full-screen");
	if (screen && document.documentElement.requestFullscreen) {
		screen.hidden = false;
		screen.addEventListener("click", () => document.documentElement.requestFullscreen().then(() => { screen.hidden = true; }));
	}

	/* The drawn signature: strokes of points, drawn anew whenever they or the size change */
	const drawing = find(".drawing");
	if (!drawing) return;
	drawing.hidden = false;
	const canvas = find("canvas", drawing);
	const image = find("input[name=signature]", drawing);
	const undo = find(".undo", drawing);
	const clear = find(".clear", drawing);
	const strokes = [];
	let kept = null;
	let pointer = null;

	const paint = (target, width, scale) => {
		const pen = target.getContext("2d");
		pen.setTransform(1, 0, 0, 1, 0, 0);
		pen.clearRect(0, 0, target.width, target.height);
		if (kept) pen.drawImage(kept, 0, 0, target.width, target.width * kept.height / kept.width);
		pen.scale(scale, scale);
		pen.lineWidth = 2.5;
		pen.lineCap = pen.lineJoin = "round";
		pen.strokeStyle = pen.fillStyle = "#10214b";
		for (const points of strokes) {
			const at = points.map(([x, y]) => [x * width, y * width]);
			pen.beginPath();
			pen.moveTo(...at[0]);
			if (at.length === 1) {
				pen.arc(...at[0], 1.5, 0, 2 * Math.PI);
				pen.fill();
				continue;
			}
			/* Through the middles of neighbours, so that corners of a fast hand are round */
			for (let i = 1; i < at.length - 1; i++)
				pen.quadraticCurveTo(...at[i], (at[i][0] + at[i + 1][0]) / 2, (at[i][1] + at[i + 1][1]) / 2);
			pen.lineTo(...at[at.length - 1]);
			pen.stroke();
		}
	};
	const repaint = () => {
		const scale = Math.min(devicePixelRatio || 1, 3);
		const width = canvas.clientWidth;
		canvas.width = Math.round(width * scale);
		canvas.height = Math.round(canvas.clientHeight * scale);
		paint(canvas, width, scale);
		undo.disabled = strokes.length === 0;
		clear.disabled = strokes.length === 0 && !kept;
	};
	/* Twice the size on the page, whatever the screen */
	const save = () => {
		if (strokes.length === 0 && !kept) {
			image.value = "";
			return;
		}
		const copy = document.createElement("canvas");
		const scale = Math.min(2, 3600 / canvas.clientWidth);
		copy.width = Math.round(canvas.clientWidth * scale);
		copy.height = Math.round(canvas.clientHeight * scale);
		paint(copy, canvas.clientWidth, scale);
		image.value = copy.toDataURL("image/png").replace(/^data:image\/png;base64,/, "");
	};
	const place = (event) => {
		const box = canvas.getBoundingClientRect();
		return [(event.clientX - box.left - canvas.clientLeft) / canvas.clientWidth, (event.clientY - box.top - canvas.clientTop) / canvas.clientWidth];
	};

	canvas.addEventListener("pointerdown", (event) => {
		if (event.button !== 0 || pointer !== null) return;
		event.preventDefault();
		pointer = event.pointerId;
		canvas.setPointerCapture(pointer);
		strokes.push([place(event)]);
		repaint();
	});
	canvas.addEventListener("pointermove", (event) => {
		if (event.pointerId !== pointer) return;
		const points = strokes[strokes.length - 1];
		for (const each of event.getCoalescedEvents ? event.getCoalescedEvents() : [event]) points.push(place(each));
		points.push(place(event));
		repaint();
	});
	const lift = (event) => {
		if (event.pointerId !== pointer) return;
		pointer = null;
		save();
	};
	canvas.addEventListener("pointerup", lift);
	canvas.addEventListener("pointercancel", lift);
	undo.addEventListener("click", () => {
		strokes.pop();
		repaint();
		save();
	});
	clear.addEventListener("click", () => {
		strokes.length = 0;
		kept = null;
		repaint();
		save();
	});
	new ResizeObserver(repaint).observe(canvas);

	/* What was drawn before a form came back */
	if (image.value) {
		const before = new Image();
		before.onload = () => {
			kept = before;
			repaint();
		};
		before.src = "data:image/png;base64," + image.value;
	}
	repaint();
})();
