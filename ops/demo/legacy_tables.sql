-- Tables of the old single database that the new pair does not have, and its revision table.

CREATE TABLE alembic_version (
    version_num varchar(32) PRIMARY KEY
);
-- The old chain has two heads.
INSERT INTO alembic_version (version_num) VALUES ('k8l9m0n1o2p3'), ('n0o1p2q3r4s5');

CREATE TABLE export_history (
    id uuid PRIMARY KEY,
    user_id uuid REFERENCES users (id) ON DELETE SET NULL,
    export_type varchar(50) NOT NULL
        CONSTRAINT ck_export_history_export_type_check
        CHECK (export_type IN ('portfolio', 'trades', 'modeling_session')),
    export_format varchar(10) NOT NULL
        CONSTRAINT ck_export_history_export_format_check
        CHECK (export_format IN ('csv', 'json', 'fix')),
    file_name varchar(255) NOT NULL,
    file_size_bytes integer,
    created_at timestamptz NOT NULL
);
CREATE INDEX ix_export_history_user_id ON export_history (user_id);

CREATE TABLE modeling_session_snapshots (
    id uuid PRIMARY KEY,
    session_id varchar(50) NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name varchar(255) NOT NULL,
    status varchar(20) NOT NULL
        CONSTRAINT ck_modeling_session_snapshots_modeling_session_status_check
        CHECK (status IN ('active', 'completed', 'cancelled')),
    base_portfolio_snapshot json NOT NULL,
    modified_portfolio_snapshot json,
    changes json,
    impact_summary json,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    completed_at timestamptz
);
CREATE INDEX idx_active_sessions ON modeling_session_snapshots (user_id, status);
CREATE UNIQUE INDEX ix_modeling_session_snapshots_session_id
    ON modeling_session_snapshots (session_id);

CREATE TABLE market_risk_scenarios (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    portfolio_id uuid NOT NULL REFERENCES portfolios (id),
    scenario_type varchar(50) NOT NULL,
    scenario_value numeric(8, 6) NOT NULL,
    predicted_pnl numeric(16, 2) NOT NULL,
    calculation_date date NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_market_risk_portfolio_date
    ON market_risk_scenarios (portfolio_id, calculation_date);
CREATE INDEX idx_market_risk_scenario_type ON market_risk_scenarios (scenario_type);

CREATE TABLE factor_correlations (
    id uuid PRIMARY KEY,
    factor_1_id uuid NOT NULL REFERENCES factor_definitions (id),
    factor_2_id uuid NOT NULL REFERENCES factor_definitions (id),
    correlation numeric(8, 6) NOT NULL,
    calculation_date date NOT NULL,
    lookback_days integer NOT NULL,
    decay_factor numeric(4, 3) NOT NULL,
    data_points integer NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT uq_factor_correlations_factors_date
        UNIQUE (factor_1_id, factor_2_id, calculation_date)
);
CREATE INDEX idx_factor_correlations_date ON factor_correlations (calculation_date);
CREATE INDEX idx_factor_correlations_factors ON factor_correlations (factor_1_id, factor_2_id);

CREATE TABLE agent_user_preferences (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL CONSTRAINT uq_agent_user_preferences_user_id UNIQUE,
    default_mode varchar(50) NOT NULL,
    preferred_model varchar(100),
    code_interpreter_enabled boolean NOT NULL,
    tool_calls_enabled boolean NOT NULL,
    streaming_enabled boolean NOT NULL,
    user_context varchar(2000),
    settings jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX idx_agent_user_preferences_user_id ON agent_user_preferences (user_id);

CREATE TABLE ai_insights (
    id uuid PRIMARY KEY,
    portfolio_id uuid NOT NULL REFERENCES portfolios (id) ON DELETE CASCADE,
    insight_type varchar(50) NOT NULL,
    title varchar(255) NOT NULL,
    severity varchar(20) NOT NULL,
    summary text NOT NULL,
    full_analysis text,
    data_snapshot jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz
);
CREATE INDEX ix_ai_insights_portfolio_id ON ai_insights (portfolio_id);

CREATE TABLE ai_insight_templates (
    id uuid PRIMARY KEY,
    name varchar(100) NOT NULL,
    insight_type varchar(50) NOT NULL,
    prompt text NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);
