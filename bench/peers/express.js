// What a tutorial on ussd-menu-builder leads to, made to keep what it must: a rating is on disk before the thanks.
// A menu for each request: the library keeps a request's arguments in the menu, so that one shared by two mixes them up.
"use strict";
const cluster = require("node:cluster");
const express = require("express");
const UssdMenu = require("ussd-menu-builder");
const { Pool } = require("pg");
const { createClient } = require("redis");

const processes = Number(process.env.PROCESSES || 1);

async function serve() {
  const pool = new Pool({ host: process.env.PG_HOST, user: "postgres", database: process.env.PG_DATABASE, max: 10 });
  const redis = createClient({ socket: { path: process.env.REDIS_SOCKET } });
  await redis.connect();

  function menuOfOne() {
    const menu = new UssdMenu();
    menu.sessionConfig({
      start: (id) => redis.set(`ussd:${id}`, menu.args.text, { EX: 180 }),
      set: (id, key, value) => redis.set(`ussd:${id}:${key}`, value, { EX: 180 }),
      get: (id, key) => redis.get(`ussd:${id}:${key}`),
      end: () => Promise.resolve(),
    });
    menu.startState({
      run: () => menu.con("Service:\n1 Commune office\n2 Health centre\n3 Primary school\n4 One-window office\n8 Menu\n0 Leave"),
      next: { "*^[1-4]$": "score" },
    });
    menu.state("score", {
      run: () => menu.con("Health centre\n1 Very dissatisfied\n2 Dissatisfied\n3 Acceptable\n4 Satisfied\n5 Very satisfied\n0 Back"),
      next: { "*^[1-5]$": "who" },
    });
    menu.state("who", {
      run: () => menu.con("You are:\n1 Woman 15-30\n2 Woman over 30\n3 Man 15-30\n4 Man over 30\n5 Under 15\n6 Other\n7 No answer\n0 Back"),
      next: { "*^[1-7]$": "thanks" },
    });
    menu.state("thanks", {
      run: async () => {
        const [service, score, who] = menu.args.text.split("*");
        await pool.query(
          "INSERT INTO peer_ratings (phone, service, score, who) VALUES ($1, $2, $3, $4)" +
            " ON CONFLICT (phone, service) DO UPDATE SET score = excluded.score, who = excluded.who",
          [menu.args.phoneNumber, Number(service), Number(score), Number(who)],
        );
        menu.end("Thank you! Received.");
      },
    });
    return menu;
  }

  const app = express();
  app.disable("etag");
  app.disable("x-powered-by");
  app.use(express.urlencoded({ extended: false }));
  app.post("/ussd", (request, response) => {
    menuOfOne().run(request.body, (answer) => response.type("text/plain").send(answer));
  });
  app.listen(Number(process.env.PORT), "127.0.0.1");
}

if (processes > 1 && cluster.isPrimary) for (let i = 0; i < processes; i += 1) cluster.fork();
else serve();
