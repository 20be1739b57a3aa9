// Without azd: az deployment sub create --location LOCATION --parameters infra/prod.bicepparam
using 'main.bicep'

import { prod } from 'settings.bicep'

param environmentName = 'r1-prod'
param location = 'swedencentral'
param settings = prod
param operatorPrincipal = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param webhookKey = readEnvironmentVariable('R1_WEBHOOK_SECRET', '')
param workerImage = readEnvironmentVariable('R1_WORKER_IMAGE', '')
param gatewayImage = readEnvironmentVariable('R1_GATEWAY_IMAGE', '')
param budgetStart = readEnvironmentVariable('R1_BUDGET_START', '2026-12-01')
