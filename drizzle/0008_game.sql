CREATE TABLE "computers" (
	"id" uuid PRIMARY KEY NOT NULL,
	"player_id" uuid NOT NULL,
	"name" text NOT NULL,
	"ip" text NOT NULL,
	"cpu" integer NOT NULL,
	"memory" integer NOT NULL,
	"storage" integer NOT NULL,
	CONSTRAINT "computers_ip_unique" UNIQUE("ip")
);
--> statement-breakpoint
CREATE TABLE "defenses" (
	"id" uuid PRIMARY KEY NOT NULL,
	"computer_id" uuid NOT NULL,
	"type" text NOT NULL,
	"level" integer NOT NULL,
	"effectiveness" numeric(5, 2) NOT NULL,
	"installed_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "defenses_computer_type" UNIQUE("computer_id","type")
);
--> statement-breakpoint
CREATE TABLE "hack_operations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"attacker_id" uuid NOT NULL,
	"target_computer_id" uuid NOT NULL,
	"defender_id" uuid NOT NULL,
	"type" text NOT NULL,
	"tools" text[] NOT NULL,
	"status" text NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"completion_at" timestamp (3) with time zone NOT NULL,
	"seed" integer NOT NULL,
	"result" jsonb,
	"is_listed" boolean NOT NULL,
	"is_traced" boolean NOT NULL
);
--> statement-breakpoint
CREATE TABLE "players" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"handle" text NOT NULL,
	"money" bigint NOT NULL,
	"energy" integer NOT NULL,
	"energy_max" integer NOT NULL,
	"energy_at" timestamp (3) with time zone NOT NULL,
	"xp" integer NOT NULL,
	"shield_until" timestamp (3) with time zone,
	"version" integer NOT NULL,
	CONSTRAINT "players_user_id_unique" UNIQUE("user_id"),
	CONSTRAINT "players_handle_unique" UNIQUE("handle")
);
--> statement-breakpoint
CREATE TABLE "progression_unlocks" (
	"player_id" uuid NOT NULL,
	"key" text NOT NULL,
	"unlocked_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "progression_unlocks_player_id_key_pk" PRIMARY KEY("player_id","key")
);
--> statement-breakpoint
ALTER TABLE "computers" ADD CONSTRAINT "computers_player_id_players_id_fk" FOREIGN KEY ("player_id") REFERENCES "public"."players"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "defenses" ADD CONSTRAINT "defenses_computer_id_computers_id_fk" FOREIGN KEY ("computer_id") REFERENCES "public"."computers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hack_operations" ADD CONSTRAINT "hack_operations_attacker_id_players_id_fk" FOREIGN KEY ("attacker_id") REFERENCES "public"."players"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hack_operations" ADD CONSTRAINT "hack_operations_target_computer_id_computers_id_fk" FOREIGN KEY ("target_computer_id") REFERENCES "public"."computers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hack_operations" ADD CONSTRAINT "hack_operations_defender_id_players_id_fk" FOREIGN KEY ("defender_id") REFERENCES "public"."players"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "players" ADD CONSTRAINT "players_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "progression_unlocks" ADD CONSTRAINT "progression_unlocks_player_id_players_id_fk" FOREIGN KEY ("player_id") REFERENCES "public"."players"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "computers_player" ON "computers" USING btree ("player_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "hack_operations_running" ON "hack_operations" USING btree ("attacker_id","target_computer_id") WHERE status = 'running';--> statement-breakpoint
CREATE INDEX "hack_operations_due" ON "hack_operations" USING btree ("completion_at") WHERE status = 'running';--> statement-breakpoint
CREATE INDEX "hack_operations_endured" ON "hack_operations" USING btree ("defender_id","target_computer_id") WHERE status = 'running';--> statement-breakpoint
CREATE INDEX "hack_operations_attacker" ON "hack_operations" USING btree ("attacker_id","started_at","id");--> statement-breakpoint
CREATE INDEX "hack_operations_defender" ON "hack_operations" USING btree ("defender_id","started_at","id");--> statement-breakpoint
CREATE INDEX "players_xp" ON "players" USING btree ("xp","id");