"""The schema: `Base` holds the 37 Core tables, `AiBase` the 3 AI tables.

Importing this package registers every table, so that neither a metadata-built schema nor
autogenerate can miss one.
"""

from app.models.agent import AgentConversation, AgentMessage
from app.models.ai import AiFeedback, AiKbDocument, AiMemory
from app.models.base import AiBase, Base
from app.models.batch import BatchJob, BatchJobSchedule, BatchRunTracking
from app.models.company_profiles import CompanyProfile
from app.models.correlations import (
    CorrelationCalculation,
    CorrelationCluster,
    CorrelationClusterPosition,
    PairwiseCorrelation,
)
from app.models.factors import FactorDefinition, FactorExposure, PositionFactorExposure
from app.models.fundamentals import BalanceSheet, CashFlow, IncomeStatement
from app.models.market_data import BenchmarkSectorWeight, FundHolding, MarketDataCache
from app.models.portfolios import EquityChange, EquityChangeType, Portfolio
from app.models.position_metrics import (
    PositionGreeks,
    PositionInterestRateBeta,
    PositionMarketBeta,
    PositionVolatility,
)
from app.models.positions import Position, PositionRealizedEvent, PositionType
from app.models.snapshots import PortfolioSnapshot
from app.models.stress import StressTestResult, StressTestScenario
from app.models.symbols import SymbolDailyMetrics, SymbolFactorExposure, SymbolUniverse
from app.models.tags import PositionTag, TagV2
from app.models.target_prices import PortfolioTargetPrice
from app.models.users import User
