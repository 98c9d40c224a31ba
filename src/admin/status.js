"use strict";
// Asks /status.json each second, and shows it. All text goes in as text: nothing that a client sent becomes markup.
(() => {
	const EVERY_MS = 1000, PATIENCE_MS = 5000, WINDOW_MS = 60000, SLOW_MS = 2000;
	const VERDICTS = ["accepted", "declined", "rejected", "timed-out", "over-limit", "impossible", "cancelled"];
	const REST = { "timed-out": "timed out", "over-limit": "over limit" };
	const byId = (id) => document.getElementById(id);
	const whole = new Intl.NumberFormat("en");
	let seen = []; // what came in the last minute, the oldest first
	let heardAt = 0;

	function make(name, className, ...content) {
		const element = document.createElement(name);
		if (className)
			element.className = className;
		element.append(...content);
		return element;
	}

	function shape(name, attributes, ...content) {
		const element = document.createElementNS("http://www.w3.org/2000/svg", name);
		for (const [key, value] of Object.entries(attributes))
			element.setAttribute(key, value);
		element.append(...content);
		return element;
	}

	function bytes(count) {
		let unit = 0;
		while (count >= 1024 && unit < 4) {
			count /= 1024;
			unit++;
		}
		return `${count < 10 && unit > 0 ? count.toFixed(1) : Math.round(count)} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
	}

	function time(ms) {
		if (ms < 1000)
			return `${Math.round(ms)} ms`;
		const s = ms / 1000;
		if (s < 60)
			return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
		if (s < 3600)
			return `${Math.floor(s / 60)} min${Math.floor(s % 60) > 0 ? ` ${Math.floor(s % 60)} s` : ""}`;
		return s < 172800 ? `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min` : `${Math.floor(s / 86400)} days`;
	}

	function rate(count, ms) {
		const each = ms > 0 ? (count * 1000) / ms : 0;
		return each > 0 && each < 10 ? each.toFixed(1) : whole.format(Math.round(each));
	}

	// A row is a list of cells: text, or an element, or [class, either].
	function fill(id, rows, nothing) {
		const body = byId(id).tBodies[0];
		const columns = byId(id).tHead.rows[0].cells;
		if (rows.length === 0) {
			const cell = make("td", "none", nothing);
			cell.colSpan = columns.length;
			body.replaceChildren(make("tr", "", cell));
			return;
		}
		body.replaceChildren(...rows.map((row) => make("tr", "", ...row.map((given, i) => {
			const [className, content] = Array.isArray(given) ? given : ["", given];
			const numeric = columns[i].classList.contains("number") ? "number " : "";
			return make("td", numeric + className, content);
		}))));
	}

	function bar(used, limit, label) {
		const share = limit > 0 ? Math.min(1, used / limit) : 0;
		const track = make("div", share >= 0.9 ? "bar bad" : share >= 0.7 ? "bar warn" : "bar", make("i"));
		track.firstChild.style.width = `${(share * 100).toFixed(1)}%`;
		track.setAttribute("role", "progressbar");
		track.setAttribute("aria-label", label);
		track.setAttribute("aria-valuenow", Math.round(share * 100));
		return track;
	}

	// ---- the parts of the page

	function showFault(id, fault, what) {
		const line = byId(id), text = fault ? `${what} ${fault.why}` : "";
		line.hidden = !fault;
		if (line.textContent !== text)
			line.textContent = text; // only a change is read aloud
	}

	function showState(now) {
		const silent = now.workers.filter((worker) => worker.state === "silent").length;
		const state = byId("state");
		const [className, text] = now.ready ? ["good", "ready"]
			: silent > 0 ? ["bad", `not ready: ${silent} worker${silent > 1 ? "s do" : " does"} not move`]
			: ["warn", `not ready: ${now.phase}, ${now.workers_ready} of ${now.workers_wanted} workers serve`];
		state.className = `state ${className}`;
		if (state.textContent !== text)
			state.textContent = text; // only a change is read aloud
		byId("facts").textContent =
			`version ${now.version} · configuration ${now.configuration} · up ${time(now.uptime_ms)}`;
		showFault("refusal", now.reload_refused,
			`The last reload was refused; configuration ${now.configuration} is in use.`);
		showFault("held", now.files_not_loaded, "Changed files are not loaded; the earlier ones are in use.");
		document.title = now.ready ? `Thaw: ${now.asks.length} asks` : "Thaw: not ready";
	}

	const sum = (object) => Object.values(object).reduce((a, b) => a + b, 0);

	function showFigures(now, past) {
		const ms = now.time_ms - past.time_ms;
		const failed = now.totals.requests["5xx"] - past.totals.requests["5xx"];
		const figures = [
			[whole.format(now.totals.asks_open), "asks under way"],
			[rate(sum(now.totals.requests) - sum(past.totals.requests), ms), "requests a second"],
			[whole.format(now.totals.connections_open), "open connections"],
			[rate(failed, ms), "answers 5xx a second", failed > 0 ? "bad" : ""],
			[bytes(now.totals.drained), "drained during asks"],
			[whole.format(now.totals.handshakes_failed), "failed handshakes"],
		];
		byId("figures").replaceChildren(...figures.map(([value, label, className]) =>
			make("div", "figure", make("b", className || "", value), make("span", "", label))));
	}

	function showAsks(now) {
		byId("asks-count").textContent = whole.format(now.totals.asks_open);
		const rows = now.asks.map((ask) => {
			const got = make("div", "", ask.length === null ? bytes(ask.drained) : `${bytes(ask.drained)} of ${bytes(ask.length)}`);
			if (ask.length > 0)
				got.append(bar(ask.drained, ask.length, "body received"));
			return [
				ask.client, `${ask.host}${ask.path}`, ask.means,
				!ask.asked && ask.moment === "body" ? "end of the body" : "certificate",
				[ask.age_ms > 60000 ? "warn" : "", time(ask.age_ms)], ask.length === 0 ? "no body" : got,
			];
		});
		fill("asks", rows, "Nobody is being asked for a certificate.");
	}

	function stack(steps, count, most, width, height) {
		const bars = [];
		for (let i = 0; i < count; i++) {
			let top = height;
			for (const verdict of VERDICTS) {
				const tall = (steps[verdict][i] / most) * height;
				if (tall === 0)
					continue;
				top -= tall;
				bars.push(shape("rect", { x: i * width + 0.5, y: top, width: width - 1, height: tall, class: verdict }));
			}
		}
		return bars;
	}

	function showVerdicts(now) {
		const { steps, step_ms: step } = now.verdicts;
		const count = steps.accepted.length, high = 110;
		const wide = Math.max(240, byId("chart").clientWidth - 40), width = wide / count;
		const columns = Array.from({ length: count }, (_, i) => VERDICTS.reduce((all, name) => all + steps[name][i], 0));
		const most = 2 * Math.ceil(Math.max(4, ...columns) / 2);
		const svg = shape("svg", { viewBox: `0 0 ${wide + 40} ${high + 22}`, "aria-hidden": "true" });
		for (const share of [0, 0.5, 1])
			svg.append(shape("line", { x1: 0, x2: wide, y1: high * share + 2, y2: high * share + 2 }),
				shape("text", { x: wide + 6, y: high * share + 8 }, whole.format(most * (1 - share))));
		const bars = shape("g", { transform: "translate(0 2)" }, ...stack(steps, count, most, width, high));
		svg.append(bars);
		for (let i = 0; i < count; i += 30)
			svg.append(shape("text", { x: i * width, y: high + 18 }, `${time((count - i) * step)} ago`));
		byId("chart").replaceChildren(svg);
		byId("legend").replaceChildren(...VERDICTS.map((name) => {
			const total = steps[name].reduce((a, b) => a + b, 0);
			return make("li", total === 0 ? "none" : "", make("i", name), `${REST[name] || name} ${whole.format(total)}`);
		}));
	}

	function showSpool(now) {
		const measures = [["memory", now.spool.memory], ["disk", now.spool.disk]];
		byId("spool").replaceChildren(...measures.map(([name, tier]) => make("div", "measure",
			make("p", "", make("span", "", name), make("span", "number", tier.limit > 0
				? `${bytes(tier.used)} of ${bytes(tier.limit)}` : "not used")),
			bar(tier.used, tier.limit, `${name} in use`))));
		const over = now.outcomes.filter((outcome) => outcome.verdict === "over-limit");
		const refused = over.reduce((all, outcome) => all + outcome.count, 0);
		const note = byId("spool-note");
		note.className = refused > 0 ? "note warn" : "note";
		note.textContent = `${whole.format(now.spool.clients)} client addresses hold some of it · ` +
			`${whole.format(refused)} asks refused for want of room or over a limit`;
	}

	function showWorkers(now) {
		const looks = { serving: "good", starting: "warn", retiring: "none", silent: "bad" };
		const rows = now.workers.map((worker) => [
			worker.pid ? String(worker.pid) : "…",
			[looks[worker.state] || "", worker.state === "silent" ? `silent for ${time(worker.silent_ms)}`
				: worker.state === "retiring" ? `retiring (configuration ${worker.configuration})` : worker.state],
			whole.format(worker.connections), whole.format(worker.asks),
		]);
		fill("workers", rows, "No worker runs.");
	}

	// The time below which that share of the answers came; the upper end of its bucket.
	function quantile(counts, limits, share) {
		const total = counts.reduce((a, b) => a + b, 0);
		let left = total * share;
		for (let i = 0; i < counts.length; i++) {
			left -= counts[i];
			if (total > 0 && left <= 0)
				return i < limits.length ? limits[i] : Infinity;
		}
		return null;
	}

	function judge(server, lately, slow) {
		if (server.resting > 0)
			return [0, "bad", "resting after failures"];
		if (lately.failed + lately.unreached > 0)
			return [1, "bad", lately.answered > 0 ? "fails at times" : "refusing"];
		if (slow !== null && slow > SLOW_MS)
			return [2, "warn", "slow"];
		return lately.answered > 0 ? [3, "good", "well"] : [4, "none", "quiet"];
	}

	function showUpstreams(now, past) {
		const within = (ms, limits) => ms === null ? "–" : ms === Infinity ? `> ${time(limits[limits.length - 1])}` : `≤ ${time(ms)}`;
		const rows = now.upstreams.map((server) => {
			const before = past.upstreams.find((one) => one.upstream === server.upstream && one.server === server.server);
			const less = (key) => server[key] - (before ? before[key] : 0);
			const counts = server.answers.map((count, i) => count - (before ? before.answers[i] : 0));
			const lately = {
				answered: less("answered"), failed: less("failed") + less("timed_out"),
				unreached: less("connect_failures"),
			};
			const slow = quantile(counts, now.answer_limits_ms, 0.95);
			const [order, className, state] = judge(server, lately, slow);
			return [order, [
				server.upstream, server.server, [className, state],
				whole.format(lately.answered + lately.failed),
				[lately.failed > 0 ? "bad" : "", whole.format(lately.failed)],
				[lately.unreached > 0 ? "bad" : "", whole.format(lately.unreached)],
				within(quantile(counts, now.answer_limits_ms, 0.5), now.answer_limits_ms),
				[slow > SLOW_MS ? "warn" : "", within(slow, now.answer_limits_ms)],
				whole.format(server.in_use), whole.format(server.idle),
			]];
		});
		rows.sort((a, b) => a[0] - b[0]);
		fill("upstreams", rows.map((row) => row[1]), "No upstream is configured.");
	}

	function showHistory(now) {
		fill("outcomes", now.outcomes.slice(0, 12).map((one) => [
			REST[one.verdict] || one.verdict, one.reason === "none" ? "" : one.reason, one.means, whole.format(one.count),
		]), "No ask has ended yet.");
		const refusals = Object.entries(now.totals.refusals).filter(([, count]) => count > 0);
		refusals.sort((a, b) => b[1] - a[1]);
		fill("refusals", refusals.map(([name, count]) => [name, whole.format(count)]), "None.");
	}

	// ---- again and again

	// What is compared with: about a minute ago. At first there is only what was counted since the start.
	function pastOf(now) {
		const restarted = seen.length > 0 && now.uptime_ms < seen[seen.length - 1].uptime_ms;
		seen = restarted ? [] : seen.filter((one) => now.time_ms - one.time_ms <= WINDOW_MS);
		seen.push(now);
		if (seen.length > 1)
			return seen[0];
		const requests = Object.fromEntries(Object.keys(now.totals.requests).map((key) => [key, 0]));
		return { time_ms: now.time_ms - now.uptime_ms, totals: { requests }, upstreams: [] };
	}

	function show(now) {
		const past = pastOf(now);
		showState(now);
		showFigures(now, past);
		showAsks(now);
		showVerdicts(now);
		showSpool(now);
		showWorkers(now);
		showUpstreams(now, past);
		showHistory(now);
		document.documentElement.dataset.shown = now.time_ms;
	}

	function lost() {
		const state = byId("state");
		state.className = "state bad";
		state.textContent = heardAt ? "no answer: what is shown is old" : "no answer";
		document.title = "Thaw: no answer";
	}

	async function refresh() {
		try {
			const answer = await fetch("/status.json", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
			if (!answer.ok)
				throw new Error(answer.statusText);
			show(await answer.json());
			heardAt = Date.now();
		} catch (error) {
			console.error(error);
			lost();
		}
		setTimeout(refresh, EVERY_MS);
	}

	refresh();
})();
