// For azd, which knows these variables; `azd env set` changes them.
using 'main.bicep'

import { dev, prod } from 'settings.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param location = readEnvironmentVariable('AZURE_LOCATION')
param settings = readEnvironmentVariable('R1_STAGE', 'dev') == 'prod' ? prod : dev
param operatorPrincipal = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param webhookKey = readEnvironmentVariable('R1_WEBHOOK_SECRET', '')
param workerImage = readEnvironmentVariable('SERVICE_WORKER_IMAGE_NAME', '')
param gatewayImage = readEnvironmentVariable('SERVICE_GATEWAY_IMAGE_NAME', readEnvironmentVariable('SERVICE_GATEWAY_PREMIUM_IMAGE_NAME', ''))
param budgetStart = readEnvironmentVariable('R1_BUDGET_START', '')
