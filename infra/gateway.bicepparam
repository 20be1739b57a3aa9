// For azd: what `azd deploy gateway` deploys once the image is there.
using 'gateway.bicep'

import { dev, prod } from 'settings.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param location = readEnvironmentVariable('AZURE_LOCATION')
param settings = readEnvironmentVariable('R1_STAGE', 'dev') == 'prod' ? prod : dev
param image = readEnvironmentVariable('SERVICE_GATEWAY_IMAGE_NAME')
